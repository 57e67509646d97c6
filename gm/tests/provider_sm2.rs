//! The provider's SM2 through Tongsuo's own interfaces, against the same primitives used directly.

use alb_gm::sm2::{Ciphertext, DEFAULT_ID, PrivateKey, PublicKey, Signature, SystemRandom};
use alb_gm::{Acceleration, accelerated, init};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};

const D: [u8; 32] = [0x39; 32];

/// A key as it comes from a file: decoded by Tongsuo, then carried over to the provider at its first use.
fn from_file() -> (PrivateKey, PKey<Private>) {
    init(Acceleration::Auto);
    assert!(accelerated());
    let group = EcGroup::from_curve_name(Nid::SM2).expect("curve");
    let ours = PrivateKey::from_bytes(&D).expect("key");
    let d = BigNum::from_slice(&D).expect("number");
    let mut context = openssl::bn::BigNumContext::new().expect("context");
    let point =
        EcPoint::from_bytes(&group, &ours.public().to_compressed(), &mut context).expect("point");
    let key = EcKey::from_private_components(&group, &d, &point).expect("key");
    let pem = PKey::from_ec_key(key)
        .expect("key")
        .private_key_to_pem_pkcs8()
        .expect("PEM");
    (ours, PKey::private_key_from_pem(&pem).expect("key"))
}

fn sm3() -> MessageDigest {
    MessageDigest::from_nid(Nid::SM3).expect("SM3")
}

#[test]
fn signatures_pass_between_the_provider_and_the_primitives() {
    let (ours, theirs) = from_file();
    let signature = Signer::new(sm3(), &theirs)
        .expect("signer")
        .sign_oneshot_to_vec(b"message")
        .expect("signature");
    let parsed = Signature::from_der(&signature).expect("DER");
    assert_eq!(
        ours.public().verify(DEFAULT_ID, b"message", &parsed),
        Ok(())
    );
    let own = ours
        .sign(DEFAULT_ID, b"message", &mut SystemRandom)
        .expect("signature")
        .to_der();
    let verify = |signature: &[u8], message: &[u8]| {
        let mut verifier = Verifier::new(sm3(), &theirs).expect("verifier");
        verifier.verify_oneshot(signature, message).unwrap_or(false)
    };
    // Twice: the second time from memory.
    assert!(verify(&own, b"message") && verify(&own, b"message"));
    assert!(!verify(&own, b"another message"));
    assert!(!verify(&[&own[..], &[0]].concat(), b"message"));
}

#[test]
fn messages_pass_between_the_provider_and_the_primitives() {
    let (ours, theirs) = from_file();
    let mut context = PkeyCtx::new(&theirs).expect("context");
    context.encrypt_init().expect("init");
    let mut ciphertext = Vec::new();
    context
        .encrypt_to_vec(b"a message", &mut ciphertext)
        .expect("ciphertext");
    let parsed = Ciphertext::from_der(&ciphertext).expect("DER");
    assert_eq!(
        ours.decrypt(&parsed).expect("message").as_slice(),
        b"a message"
    );
    let own = ours
        .public()
        .encrypt(b"a message", &mut SystemRandom)
        .expect("ciphertext")
        .to_der();
    context.decrypt_init().expect("init");
    let mut message = Vec::new();
    context.decrypt_to_vec(&own, &mut message).expect("message");
    assert_eq!(message, b"a message");
    let mut changed = own.clone();
    *changed.last_mut().expect("bytes") ^= 1;
    assert!(context.decrypt_to_vec(&changed, &mut message).is_err());
}

#[test]
fn a_generated_key_goes_to_a_file_and_comes_back() {
    init(Acceleration::Auto);
    let mut context = PkeyCtx::new_id(openssl::pkey::Id::SM2).expect("context");
    context.keygen_init().expect("init");
    let key = context.keygen().expect("key");
    let pem = key.private_key_to_pem_pkcs8().expect("PEM");
    let again = PKey::private_key_from_pem(&pem).expect("key");
    assert!(again.public_eq(&key));
    let point = again.ec_key().expect("EC key");
    let mut numbers = openssl::bn::BigNumContext::new().expect("context");
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    let bytes = point
        .public_key()
        .to_bytes(point.group(), form, &mut numbers)
        .expect("point");
    let d: [u8; 32] = point
        .private_key()
        .to_vec_padded(32)
        .expect("number")
        .try_into()
        .expect("length");
    let ours = PrivateKey::from_bytes(&d).expect("key");
    assert_eq!(PublicKey::from_bytes(&bytes), Ok(*ours.public()));
    let signature = Signer::new(sm3(), &key)
        .expect("signer")
        .sign_oneshot_to_vec(b"m")
        .expect("signature");
    let signature = Signature::from_der(&signature).expect("DER");
    assert_eq!(ours.public().verify(DEFAULT_ID, b"m", &signature), Ok(()));
}
