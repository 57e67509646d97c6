//! SM4, GHASH and the record layer's secrets execute the same instructions and touch the same addresses whatever the key,
//! the data, the tag or the padding is. Valgrind does not know GFNI and AVX-512, so what runs here is the AES-NI and the
//! portable implementation; the others are the same loops over instructions without data-dependent time.

mod trace;

use std::hint::black_box;
use std::process::ExitCode;

use alb_gm::sm4::record::{LONGEST_MAC, split};
use alb_gm::sm4::{Backend, Key, constant_time, gcm::GcmKey};
use trace::{Operation, leaky_operations, mark, telling_secrets};

fn main() -> ExitCode {
    let operation = |name, run| Operation {
        name,
        run,
        secrets: telling_secrets,
        leaks: false,
    };
    let [branch, index] = leaky_operations();
    trace::main(&[
        branch,
        index,
        operation("sm4 key schedule", |secret| {
            schedule(Backend::best(), secret)
        }),
        operation("sm4 key schedule, portable", |secret| {
            schedule(Backend::Portable, secret)
        }),
        operation("sm4 blocks", |secret| blocks(Backend::best(), secret)),
        operation("sm4 blocks, portable", |secret| {
            blocks(Backend::Portable, secret)
        }),
        operation("sm4-gcm seal", |secret| seal(Backend::best(), secret)),
        operation("sm4-gcm seal, portable", |secret| {
            seal(Backend::Portable, secret)
        }),
        operation("tag comparison", compare),
        Operation {
            secrets: paddings,
            ..operation("cbc unpadding", unpad)
        },
    ])
}

fn halves(secret: &[u8; 32]) -> ([u8; 16], [u8; 16]) {
    let halves = |start: usize| std::array::from_fn(|i| secret[start + i]);
    (halves(0), halves(16))
}

fn schedule(backend: Backend, secret: &[u8; 32]) {
    let (key, _) = halves(secret);
    mark();
    let key = Key::with_backend(black_box(&key), backend);
    mark();
    black_box(key);
}

fn blocks(backend: Backend, secret: &[u8; 32]) {
    let (key, data) = halves(secret);
    let key = Key::with_backend(&key, backend).expect("available");
    let mut data = [data; 20];
    mark();
    key.encrypt_blocks(black_box(&mut data));
    key.decrypt_blocks(black_box(&mut data));
    mark();
    black_box(data);
}

/// The key, and with it the key of GHASH, and the text are secret.
fn seal(backend: Backend, secret: &[u8; 32]) {
    let (key, data) = halves(secret);
    let mut data = [data; 20];
    mark();
    let key = GcmKey::with_backend(black_box(&key), backend).expect("available");
    let tag = key.seal(&[1; 12], &[2; 13], data.as_flattened_mut());
    mark();
    black_box(tag).expect("short");
}

/// How many bytes of the tag are right is the secret.
fn compare(secret: &[u8; 32]) {
    mark();
    let equal = constant_time::equal(black_box(&secret[..16]), black_box(&[0xFF; 16]));
    mark();
    black_box(equal);
}

/// The length of the padding in a record of 320 bytes, right or wrong, is the secret.
fn unpad(secret: &[u8; 32]) {
    let mut record = [0x5A; 320];
    let padding = secret[0];
    record[319 - usize::from(padding)..].fill(padding);
    record[319 - usize::from(secret[1])] ^= secret[2];
    mark();
    let parts = split(black_box(&record), 32, &[0; LONGEST_MAC]);
    mark();
    black_box(parts).expect("long enough");
}

/// Right paddings, short and long, and wrong ones.
fn paddings() -> Vec<[u8; 32]> {
    let case = |padding, place, error| {
        let mut secret = [0; 32];
        secret[..3].copy_from_slice(&[padding, place, error]);
        secret
    };
    vec![
        case(0, 0, 0),
        case(15, 0, 0),
        case(255, 0, 0),
        case(100, 7, 1),
        case(15, 0, 0xFF),
        case(200, 250, 9),
    ]
}
