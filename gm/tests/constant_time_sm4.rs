//! SM4, GHASH and the record layer's secrets execute the same instructions and touch the same addresses whatever the key,
//! the data, the tag or the padding is. Valgrind does not know GFNI and AVX-512, so what runs here is the AES-NI and the
//! portable implementation; the others are the same loops over instructions without data-dependent time.

#![allow(unsafe_code)] // The record layer's parameter has no safe wrapper.

mod trace;

use std::ffi::c_int;
use std::hint::black_box;
use std::process::ExitCode;

use alb_gm::{Acceleration, init};
use foreign_types::ForeignTypeRef;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl::pkey::PKey;
use openssl_sys::{EVP_PKEY_CTX, OSSL_PARAM};

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
        Operation {
            secrets: paddings,
            ..operation("cbc record mac, by Tongsuo with our sm3", record_mac)
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

unsafe extern "C" {
    fn EVP_PKEY_CTX_set_params(context: *mut EVP_PKEY_CTX, params: *const OSSL_PARAM) -> c_int;
}

/// The MAC of a decrypted record as Tongsuo's record layer asks for it (ssl/record/methods/tls1_meth.c, `tls1_mac`): of
/// 320 bytes, how many are content is the secret ("Lucky Thirteen"). HMAC is Tongsuo's, over the SM3 in use, which is ours.
fn record_mac(secret: &[u8; 32]) {
    init(Acceleration::Auto);
    mark();
    // The allocator gives the same places again at every fourth time.
    for _ in 0..4 {
        mac_of_record(secret);
    }
    mark();
}

fn mac_of_record(secret: &[u8; 32]) {
    let (mut record_length, mac_length) = (320usize, 32);
    let content = record_length - mac_length - 1 - usize::from(secret[0]);
    let parameter = |key: *const _, data: *mut usize, data_size| OSSL_PARAM {
        key,
        data_type: 2,
        data: data.cast(),
        data_size,
        return_size: 0,
    };
    let params = [
        parameter(c"tls-data-size".as_ptr(), &raw mut record_length, 8),
        parameter(std::ptr::null(), std::ptr::null_mut(), 0),
    ];
    let sm3 = Md::fetch(None, "SM3", None).expect("SM3");
    let key = PKey::hmac(&[7; 32]).expect("key");
    let (record, mut header, mut mac) = ([0x5A; 320], [0; 13], [0; 32]);
    header[11..].copy_from_slice(&(content as u16).to_be_bytes());
    let mut context = MdCtx::new().expect("context");
    let pkey = context.digest_sign_init(Some(&sm3), &key).expect("init");
    // SAFETY: the array ends with a null key, and it and the number live for the call.
    assert!(unsafe { EVP_PKEY_CTX_set_params(pkey.as_ptr(), params.as_ptr()) } > 0);
    let header = context.digest_sign_update(black_box(&header));
    let content = context.digest_sign_update(black_box(&record[..content]));
    let end = context.digest_sign_final(Some(&mut mac));
    header.expect("a header");
    content.expect("a record");
    assert_eq!(end.expect("a MAC"), 32);
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
