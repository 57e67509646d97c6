//! Against four others: Tongsuo's own SM2, RustCrypto, libsm, sm-crypto. What one makes the others must accept.

mod oracle;

use alb_gm::sm2::{Ciphertext, DEFAULT_ID, PrivateKey, PublicKey, Signature, SystemRandom};
use oracle::Tongsuo;
use proptest::prelude::*;
use sm2::dsa::signature::{Signer, Verifier};

const ID: &str = "1234567812345678";

/// A private key in range, as a test makes it: any 32 bytes that are accepted.
fn private_keys() -> impl Strategy<Value = [u8; 32]> {
    any::<[u8; 32]>().prop_filter("in range", |d| PrivateKey::from_bytes(d).is_ok())
}

fn flip(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RustCrypto's key for the same integer.
fn rustcrypto(d: &[u8; 32]) -> sm2::SecretKey {
    sm2::SecretKey::from_slice(d).expect("key")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_agree_on_the_public_key(d in private_keys()) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let uncompressed = ours.public().to_uncompressed();
        let verifying = sm2::dsa::SigningKey::new(ID, &rustcrypto(&d)).expect("key");
        prop_assert_eq!(&verifying.verifying_key().to_sec1_bytes()[..], &uncompressed[..]);
        prop_assert_eq!(sm_crypto::sm2::pk_from_sk(&hex(&d)).to_lowercase(), hex(&uncompressed[1..]));
        let context = libsm::sm2::signature::SigCtx::new();
        let point = context.pk_from_sk(&context.load_seckey(&d).expect("key")).expect("point");
        prop_assert_eq!(context.serialize_pubkey(&point, false).expect("bytes"), uncompressed.to_vec());
        prop_assert_eq!(context.serialize_pubkey(&point, true).expect("bytes"), ours.public().to_compressed().to_vec());
        prop_assert_eq!(PublicKey::from_bytes(&ours.public().to_compressed()), Ok(*ours.public()));
    }

    #[test]
    fn the_others_accept_our_signatures(d in private_keys(), message: Vec<u8>, bit: usize) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let signature = ours.sign(DEFAULT_ID, &message, &mut SystemRandom).expect("signature");
        prop_assert_eq!(ours.public().verify(DEFAULT_ID, &message, &signature), Ok(()));
        let tongsuo = Tongsuo::new(&d);
        prop_assert!(tongsuo.verify(&message, &signature.to_der()));
        prop_assert!(!tongsuo.verify(&message, &flip(&signature.to_der(), bit)));
        let key = sm2::dsa::SigningKey::new(ID, &rustcrypto(&d)).expect("key");
        let theirs = sm2::dsa::Signature::from_slice(&signature.to_bytes()).expect("signature");
        prop_assert!(key.verifying_key().verify(&message, &theirs).is_ok());
        let context = libsm::sm2::signature::SigCtx::new();
        let point = context.load_pubkey(&ours.public().to_uncompressed()).expect("point");
        let theirs = libsm::sm2::signature::Signature::new(&signature.r, &signature.s);
        prop_assert!(context.verify(&message, &point, &theirs).expect("verification"));
    }

    #[test]
    fn we_accept_the_signatures_of_the_others_and_no_changed_ones(d in private_keys(), message: Vec<u8>, bit: usize) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let key = sm2::dsa::SigningKey::new(ID, &rustcrypto(&d)).expect("key");
        let rustcrypto: sm2::dsa::Signature = key.sign(&message);
        let context = libsm::sm2::signature::SigCtx::new();
        let secret = context.load_seckey(&d).expect("key");
        let point = context.pk_from_sk(&secret).expect("point");
        let libsm = context.sign(&message, &secret, &point).expect("signature").der_encode();
        for signature in [
            Signature::from_der(&Tongsuo::new(&d).sign(&message)).expect("DER"),
            Signature::from_bytes((&rustcrypto.to_bytes()).into()),
            Signature::from_der(&libsm).expect("DER"),
        ] {
            prop_assert_eq!(ours.public().verify(DEFAULT_ID, &message, &signature), Ok(()));
            let changed: [u8; 64] = flip(&signature.to_bytes(), bit).try_into().expect("length");
            prop_assert!(ours.public().verify(DEFAULT_ID, &message, &Signature::from_bytes(&changed)).is_err());
            let longer = [&message[..], &[0]].concat();
            prop_assert!(ours.public().verify(DEFAULT_ID, &longer, &signature).is_err());
            prop_assert!(ours.public().verify(b"another", &message, &signature).is_err());
        }
    }

    #[test]
    fn the_others_decrypt_what_we_encrypt(d in private_keys(), message in prop::collection::vec(any::<u8>(), 1..200)) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let ciphertext = ours.public().encrypt(&message, &mut SystemRandom).expect("ciphertext");
        prop_assert_eq!(Tongsuo::new(&d).decrypt(&ciphertext.to_der()), Some(message.clone()));
        let key = sm2::pke::DecryptingKey::new(rustcrypto(&d));
        prop_assert_eq!(key.decrypt(&ciphertext.to_c1c3c2()).expect("message"), message.clone());
        prop_assert_eq!(ours.decrypt(&ciphertext).expect("message").to_vec(), message.clone());
        let context = libsm::sm2::signature::SigCtx::new();
        let secret = context.load_seckey(&d).expect("key");
        let decrypting = libsm::sm2::encrypt::DecryptCtx::new(message.len(), secret);
        prop_assert_eq!(decrypting.decrypt(&ciphertext.to_c1c2c3()).expect("message"), message);
    }

    #[test]
    fn we_decrypt_what_the_others_encrypt_and_nothing_changed(
        d in private_keys(),
        message in prop::collection::vec(any::<u8>(), 1..200),
        bit: usize,
    ) {
        let ours = PrivateKey::from_bytes(&d).expect("key");
        let context = libsm::sm2::signature::SigCtx::new();
        let point = context.load_pubkey(&ours.public().to_uncompressed()).expect("point");
        let libsm = libsm::sm2::encrypt::EncryptCtx::new(message.len(), point).encrypt(&message).expect("ciphertext");
        for ciphertext in [
            Ciphertext::from_der(&Tongsuo::new(&d).encrypt(&message)).expect("DER"),
            Ciphertext::from_c1c2c3(&libsm).expect("bytes"),
        ] {
            prop_assert_eq!(ours.decrypt(&ciphertext).expect("message").to_vec(), message.clone());
            if let Ok(changed) = Ciphertext::from_c1c3c2(&flip(&ciphertext.to_c1c3c2(), bit)) {
                prop_assert!(ours.decrypt(&changed).is_err());
            }
        }
    }
}
