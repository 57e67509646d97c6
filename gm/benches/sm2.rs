//! SM2 and SM3: ours against Tongsuo's own and RustCrypto's, in processor time per operation.
//!
//! `cargo bench -p alb-gm --bench sm2`. Tongsuo is the one this workspace builds, with `enable-ec_sm2p_64_gcc_128`, called
//! through EVP as TLS calls it; the provider is not installed here.

mod common;

use alb_gm::sm2::{DEFAULT_ID, Own, Peer, PrivateKey, Role, SystemRandom, agree};
use alb_gm::sm3::Sm3;
use common::{row_per_second, row_throughput, time};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::PkeyCtx;
use openssl::sign::{Signer, Verifier};
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm3::Digest;

const D: [u8; 32] = [0x39; 32];
const MESSAGE: &[u8] = &[0x5a; 32];
const SECRET: &[u8] = &[1; 48];

fn main() {
    let (sm2, sm3) = (alb_gm::sm2::implementation(), alb_gm::sm3::implementation());
    println!(
        "SM2: {sm2}, SM3: {sm3}; Tongsuo: {}",
        openssl::version::version()
    );
    hash();
    let key = PrivateKey::from_bytes(&D).expect("key");
    signatures(&key, &tongsuo_key(&key));
    encryption(&key, &tongsuo_key(&key));
    others(&key);
}

fn sm3_of_tongsuo() -> MessageDigest {
    MessageDigest::from_nid(Nid::SM3).expect("SM3")
}

fn hash() {
    for size in [64, 1024, 16384] {
        let data = vec![0x5a; size];
        let ours = time(|| Sm3::digest(&data));
        let tongsuo = time(|| openssl::hash::hash(sm3_of_tongsuo(), &data).expect("digest"));
        let rustcrypto = time(|| sm3::Sm3::digest(&data));
        let results = [
            ("ours", ours),
            ("tongsuo", tongsuo),
            ("rustcrypto", rustcrypto),
        ];
        row_throughput(&format!("SM3 {size} bytes"), size, &results);
    }
}

fn tongsuo_key(key: &PrivateKey) -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::SM2).expect("curve");
    let mut context = BigNumContext::new().expect("context");
    let point =
        EcPoint::from_bytes(&group, &key.public().to_uncompressed(), &mut context).expect("point");
    let d = BigNum::from_slice(&D).expect("number");
    let key = EcKey::from_private_components(&group, &d, &point).expect("key");
    PKey::from_ec_key(key).expect("key")
}

fn signatures(key: &PrivateKey, tongsuo: &PKey<Private>) {
    let signing = sm2::dsa::SigningKey::from_slice("1234567812345678", &D).expect("key");
    let ours = time(|| {
        key.sign(DEFAULT_ID, MESSAGE, &mut SystemRandom)
            .expect("signature")
    });
    let theirs = time(|| {
        let mut signer = Signer::new(sm3_of_tongsuo(), tongsuo).expect("signer");
        signer.sign_oneshot_to_vec(MESSAGE).expect("signature")
    });
    let rustcrypto = time(|| -> sm2::dsa::Signature { signing.sign(MESSAGE) });
    row_per_second(
        "sign",
        &[
            ("ours", ours),
            ("tongsuo", theirs),
            ("rustcrypto", rustcrypto),
        ],
    );

    let signature = key
        .sign(DEFAULT_ID, MESSAGE, &mut SystemRandom)
        .expect("signature");
    let der = signature.to_der();
    let other = sm2::dsa::Signature::from_slice(&signature.to_bytes()).expect("signature");
    let ours = time(|| {
        key.public()
            .verify(DEFAULT_ID, MESSAGE, &signature)
            .expect("valid")
    });
    let theirs = time(|| {
        let mut verifier = Verifier::new(sm3_of_tongsuo(), tongsuo).expect("verifier");
        assert!(verifier.verify_oneshot(&der, MESSAGE).expect("verdict"));
    });
    let rustcrypto = time(|| {
        signing
            .verifying_key()
            .verify(MESSAGE, &other)
            .expect("valid")
    });
    row_per_second(
        "verify",
        &[
            ("ours", ours),
            ("tongsuo", theirs),
            ("rustcrypto", rustcrypto),
        ],
    );
}

fn encryption(key: &PrivateKey, tongsuo: &PKey<Private>) {
    let secret = sm2::SecretKey::from_slice(&D).expect("key");
    let reader = sm2::pke::DecryptingKey::new(secret);
    let ciphertext = key
        .public()
        .encrypt(SECRET, &mut SystemRandom)
        .expect("ciphertext");
    let (der, raw) = (ciphertext.to_der(), ciphertext.to_c1c3c2());
    let ours = time(|| key.decrypt(&ciphertext).expect("message"));
    let theirs = time(|| {
        let mut context = PkeyCtx::new(tongsuo).expect("context");
        context.decrypt_init().expect("init");
        let mut out = Vec::new();
        context.decrypt_to_vec(&der, &mut out).expect("message");
        out
    });
    let rustcrypto = time(|| reader.decrypt(&raw).expect("message"));
    row_per_second(
        "decrypt 48 bytes",
        &[
            ("ours", ours),
            ("tongsuo", theirs),
            ("rustcrypto", rustcrypto),
        ],
    );

    let ours = time(|| {
        key.public()
            .encrypt(SECRET, &mut SystemRandom)
            .expect("ciphertext")
    });
    let theirs = time(|| {
        let mut context = PkeyCtx::new(tongsuo).expect("context");
        context.encrypt_init().expect("init");
        let mut out = Vec::new();
        context
            .encrypt_to_vec(SECRET, &mut out)
            .expect("ciphertext");
        out
    });
    row_per_second("encrypt 48 bytes", &[("ours", ours), ("tongsuo", theirs)]);
}

fn others(key: &PrivateKey) {
    let digest = [0x77; 32];
    let ours = time(|| {
        key.sign_digest(&digest, &mut SystemRandom)
            .expect("signature")
    });
    row_per_second("sign a digest", &[("ours", ours)]);
    row_per_second(
        "generate a key",
        &[("ours", time(|| PrivateKey::generate(&mut SystemRandom)))],
    );
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
    let ours = time(|| agree(Role::Initiator, &own, &peer, &mut [0; 48]).expect("agreement"));
    row_per_second("key exchange", &[("ours", ours)]);
}
