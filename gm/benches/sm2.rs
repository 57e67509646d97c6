//! SM2 and SM3: ours against Tongsuo's own and RustCrypto's, in processor time per operation.
//!
//! `cargo bench -p alb-gm --bench sm2`. Tongsuo is the one this workspace builds, with `enable-ec_sm2p_64_gcc_128`.

mod common;

use alb_gm::sm2::{DEFAULT_ID, PrivateKey, SystemRandom};
use alb_gm::sm3::Sm3;
use common::{row_per_second, row_throughput, time};

const KEY: [u8; 32] = [0x39; 32];

fn main() {
    println!(
        "SM2: {}, SM3: {}",
        alb_gm::sm2::implementation(),
        alb_gm::sm3::implementation()
    );
    hash();
    ours();
}

fn hash() {
    for size in [64, 1024, 16384] {
        let data = vec![0x5a; size];
        let ours = time(|| Sm3::digest(&data));
        row_throughput(&format!("SM3 {size} bytes"), size, &[("ours", ours)]);
    }
}

fn ours() {
    let key = PrivateKey::from_bytes(&KEY).expect("key");
    let digest = [0x77; 32];
    let signature = key
        .sign_digest(&digest, &mut SystemRandom)
        .expect("signature");
    let ciphertext = key
        .public()
        .encrypt(&[1; 48], &mut SystemRandom)
        .expect("ciphertext");
    row_per_second(
        "sign digest",
        &[("ours", time(|| key.sign_digest(&digest, &mut SystemRandom)))],
    );
    let mut counter = 0u64;
    let mut fixed = |out: &mut [u8]| {
        counter += 1;
        out.fill(0x55);
        out[..8].copy_from_slice(&counter.to_le_bytes());
        Ok(())
    };
    row_per_second(
        "sign digest, no getrandom",
        &[("ours", time(|| key.sign_digest(&digest, &mut fixed)))],
    );
    row_per_second(
        "sign",
        &[(
            "ours",
            time(|| key.sign(DEFAULT_ID, b"m", &mut SystemRandom)),
        )],
    );
    row_per_second(
        "verify digest",
        &[(
            "ours",
            time(|| key.public().verify_digest(&digest, &signature)),
        )],
    );
    row_per_second(
        "decrypt 48 bytes",
        &[("ours", time(|| key.decrypt(&ciphertext)))],
    );
    row_per_second(
        "encrypt 48 bytes",
        &[(
            "ours",
            time(|| key.public().encrypt(&[1; 48], &mut SystemRandom)),
        )],
    );
    row_per_second(
        "generate",
        &[("ours", time(|| PrivateKey::generate(&mut SystemRandom)))],
    );
}
