//! SM2, SM3 and SM4 through EVP, and ours also without it.

use alb_gm::sm2::{DEFAULT_ID, Own, Peer, PrivateKey, Role, SystemRandom, agree};
use alb_gm::sm3::Sm3;
use alb_gm::sm4::gcm::GcmKey;
use openssl::bn::{BigNum, BigNumContext};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};

use crate::measure::time;
use crate::{Unit, report};

const D: [u8; 32] = [0x39; 32];
const SECRET: &[u8] = &[1; 48];
const RECORD: usize = 16384;
/// More than the provider remembers, so that every verification is one.
const SIGNATURES: usize = 4096;

pub fn measure_all() {
    let key = PrivateKey::from_bytes(&D).expect("key");
    let key = evp_key(&key);
    signatures(&key);
    encryption(&key);
    for size in [64, 1024, RECORD] {
        hash(size);
    }
    for (mode, size) in [
        ("SM4-GCM", RECORD),
        ("SM4-GCM", 1024),
        ("SM4-CCM", RECORD),
        ("SM4-CTR", RECORD),
        ("SM4-CBC", RECORD),
        ("SM4-CBC decrypt", RECORD),
        ("SM4-ECB", RECORD),
    ] {
        cipher(mode, size);
    }
}

/// What EVP costs: the same without it.
pub fn measure_direct() {
    let per_second =
        |name: &str, nanoseconds: f64| report(name, Unit::PerSecond, 1e9 / nanoseconds);
    let key = PrivateKey::from_bytes(&D).expect("key");
    let sign = || key.sign(DEFAULT_ID, SECRET, &mut SystemRandom);
    per_second("SM2 sign, no EVP", time(sign));
    let digest = [0x77; 32];
    let sign = || key.sign_digest(&digest, &mut SystemRandom);
    per_second("SM2 sign a digest, no EVP", time(sign));
    let signature = sign().expect("signature");
    let verify = || {
        key.public()
            .verify_digest(&digest, &signature)
            .expect("valid")
    };
    per_second("SM2 verify a digest, no EVP", time(verify));
    let ciphertext = key.public().encrypt(SECRET, &mut SystemRandom);
    let ciphertext = ciphertext.expect("ciphertext");
    let decrypt = || key.decrypt(&ciphertext).expect("message");
    per_second("SM2 decrypt 48 bytes, no EVP", time(decrypt));
    let generate = || PrivateKey::generate(&mut SystemRandom).expect("key");
    per_second("SM2 generate a key, no EVP", time(generate));
    per_second("SM2 key exchange, no EVP", key_exchange(&key));
    let (data, mut record) = (vec![0x5A; RECORD], vec![0x5A; RECORD]);
    let megabytes = |name: &str, nanoseconds: f64| {
        report(name, Unit::Megabytes, RECORD as f64 * 1e3 / nanoseconds);
    };
    megabytes("SM3 of 16384 bytes, no EVP", time(|| Sm3::digest(&data)));
    let key = GcmKey::new(b"a bench key, 16.");
    let seal = || key.seal(&[1; 12], &[2; 13], &mut record).expect("short");
    megabytes("SM4-GCM, 16384 bytes, no EVP", time(seal));
}

fn key_exchange(key: &PrivateKey) -> f64 {
    let peer = PrivateKey::from_bytes(&[0x38; 32]).expect("key");
    let own = Own {
        key,
        ephemeral: &peer,
        id: DEFAULT_ID,
    };
    let peer = Peer {
        key: peer.public(),
        ephemeral: key.public(),
        id: DEFAULT_ID,
    };
    time(|| agree(Role::Initiator, &own, &peer, &mut [0; 48]).expect("agreement"))
}

fn sm3() -> MessageDigest {
    MessageDigest::from_nid(Nid::SM3).expect("SM3")
}

fn evp_key(key: &PrivateKey) -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::SM2).expect("curve");
    let mut context = BigNumContext::new().expect("context");
    let point = EcPoint::from_bytes(&group, &key.public().to_uncompressed(), &mut context);
    let d = BigNum::from_slice(&D).expect("number");
    let key = EcKey::from_private_components(&group, &d, &point.expect("point"));
    let key = PKey::from_ec_key(key.expect("key")).expect("key");
    // By way of a file, since only a decoded key is carried to the provider in use.
    PKey::private_key_from_der(&key.private_key_to_der().expect("DER")).expect("key")
}

fn signatures(key: &PKey<Private>) {
    let sign = |message: &[u8]| {
        let mut signer = Signer::new(sm3(), key).expect("signer");
        signer.sign_oneshot_to_vec(message).expect("signature")
    };
    report("SM2 sign", Unit::PerSecond, 1e9 / time(|| sign(SECRET)));
    let signed: Vec<_> = (0..SIGNATURES)
        .map(|i| (i.to_be_bytes(), sign(&i.to_be_bytes())))
        .collect();
    let mut signed = signed.iter().cycle();
    let verify = || {
        let (message, signature) = signed.next().expect("without end");
        let mut verifier = Verifier::new(sm3(), key).expect("verifier");
        assert!(
            verifier
                .verify_oneshot(signature, message)
                .expect("verdict")
        );
    };
    report("SM2 verify", Unit::PerSecond, 1e9 / time(verify));
}

fn encryption(key: &PKey<Private>) {
    let encrypt = || {
        let mut context = PkeyCtx::new(key).expect("context");
        context.encrypt_init().expect("init");
        let mut out = Vec::new();
        context
            .encrypt_to_vec(SECRET, &mut out)
            .expect("ciphertext");
        out
    };
    report("SM2 encrypt 48 bytes", Unit::PerSecond, 1e9 / time(encrypt));
    let ciphertext = encrypt();
    let decrypt = || {
        let mut context = PkeyCtx::new(key).expect("context");
        context.decrypt_init().expect("init");
        let mut out = Vec::new();
        context
            .decrypt_to_vec(&ciphertext, &mut out)
            .expect("message");
        out
    };
    report("SM2 decrypt 48 bytes", Unit::PerSecond, 1e9 / time(decrypt));
}

fn hash(size: usize) {
    let digest = Md::fetch(None, "SM3", None).expect("SM3");
    let mut context = MdCtx::new().expect("context");
    let (data, mut out) = (vec![0x5A; size], [0; 32]);
    let nanoseconds = time(|| {
        context.digest_init(&digest).expect("init");
        context.digest_update(&data).expect("update");
        context.digest_final(&mut out).expect("final");
    });
    let name = format!("SM3 of {size} bytes");
    report(&name, Unit::Megabytes, size as f64 * 1e3 / nanoseconds);
}

/// One message per call on a context that keeps its key, as the record layer works.
fn cipher(mode: &str, size: usize) {
    let name = mode.trim_end_matches(" decrypt");
    let cipher = Cipher::fetch(None, name, None).expect("SM4");
    let iv = (cipher.iv_length() > 0).then(|| vec![1; cipher.iv_length()]);
    let mut context = CipherCtx::new().expect("a context");
    let decrypt = mode.ends_with("decrypt");
    let start = |context: &mut CipherCtx, key: Option<&[u8]>| {
        let cipher = key.map(|_| &*cipher);
        let started = if decrypt {
            context.decrypt_init(cipher, key, iv.as_deref())
        } else {
            context.encrypt_init(cipher, key, iv.as_deref())
        };
        started.expect("key and IV fit");
    };
    start(&mut context, Some(b"a bench key, 16."));
    context.set_padding(false);
    let (data, mut out) = (vec![0x5A; size], vec![0; size + 16]);
    // CCM's tag is 12 bytes unless told before the key.
    let tag = if mode == "SM4-CCM" { 12 } else { 16 };
    let aead = mode == "SM4-GCM" || mode == "SM4-CCM";
    let nanoseconds = time(|| {
        start(&mut context, None);
        if mode == "SM4-CCM" {
            context.set_data_len(size).expect("a length");
        }
        if aead {
            let added = context.cipher_update(&[2; 13], None);
            added.expect("additional data");
        }
        let updated = context.cipher_update(&data, Some(&mut out));
        updated.expect("an update");
        if aead {
            context.cipher_final(&mut out).expect("an end");
            context.tag(&mut [0; 16][..tag]).expect("a tag");
        }
    });
    let name = format!("{mode}, {size} bytes");
    report(&name, Unit::Megabytes, size as f64 * 1e3 / nanoseconds);
}
