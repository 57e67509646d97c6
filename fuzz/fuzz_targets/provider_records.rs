//! Any bytes as a record to decrypt: the provider's answer is Tongsuo's own, for GCM, CCM and CBC.
#![no_main]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

use alb_gm::{Acceleration, init};
use foreign_types::ForeignType;
use libfuzzer_sys::fuzz_target;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl_sys as sys;

unsafe extern "C" {
    fn EVP_CIPHER_CTX_set_params(
        context: *mut sys::EVP_CIPHER_CTX,
        params: *const sys::OSSL_PARAM,
    ) -> c_int;
}

fuzz_target!(|bytes: &[u8]| {
    init(Acceleration::Auto);
    let Some((&[which, version, mac_size], record)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let [ours, theirs] = ["provider=alb", "provider=default"].map(|provider| match which % 3 {
        0 => aead("SM4-GCM", provider, record),
        1 => aead("SM4-CCM", provider, record),
        _ => cbc(
            provider,
            [0x0101, 0x0301, 0x0302, 0x0303][usize::from(version % 4)],
            mac_size.into(),
            record,
        ),
    });
    assert_eq!(ours, theirs);
});

fn context(name: &str, provider: &str) -> CipherCtx {
    let cipher = Cipher::fetch(None, name, Some(provider)).expect("a cipher");
    let mut context = CipherCtx::new().expect("a context");
    context
        .decrypt_init(Some(&cipher), None, None)
        .expect("no key yet");
    if name == "SM4-CCM" {
        context.set_iv_length(12).expect("a length of CCM");
        context.set_tag_length(16).expect("a length of CCM");
    }
    let iv = (name == "SM4-CBC").then_some(&[0; 16][..]);
    context
        .decrypt_init(None, Some(&[7; 16]), iv)
        .expect("a key");
    context
}

/// Decrypts in place: how long the content is, and what it is.
fn update(context: &mut CipherCtx, record: &[u8]) -> Option<Vec<u8>> {
    let (mut buffer, mut written) = (record.to_vec(), 0);
    let at = buffer.as_mut_ptr();
    // SAFETY: the buffer is as long as the record, and decrypting writes no more.
    let done = unsafe {
        sys::EVP_CipherUpdate(
            context.as_ptr(),
            at,
            &mut written,
            at,
            record.len() as c_int,
        )
    };
    buffer.truncate(usize::try_from(written).ok()?);
    (done == 1).then_some(buffer)
}

fn aead(name: &str, provider: &str, record: &[u8]) -> Option<Vec<u8>> {
    const SET_IV_FIXED: c_int = 0x12;
    const TLS1_AAD: c_int = 0x16;
    let mut context = context(name, provider);
    let length = u16::try_from(record.len()).ok()?;
    let mut aad = [&[0; 8][..], &[23, 1, 1], &length.to_be_bytes()].concat();
    // SAFETY: the controls read four and thirteen bytes.
    unsafe {
        sys::EVP_CIPHER_CTX_ctrl(
            context.as_ptr(),
            SET_IV_FIXED,
            4,
            [9u8; 4].as_mut_ptr().cast(),
        );
        if sys::EVP_CIPHER_CTX_ctrl(context.as_ptr(), TLS1_AAD, 13, aad.as_mut_ptr().cast()) <= 0 {
            return None;
        }
    }
    update(&mut context, record)
}

fn cbc(provider: &str, mut version: c_int, mac_size: usize, record: &[u8]) -> Option<Vec<u8>> {
    // The record layer passes whole blocks, at least one; Tongsuo's own cipher relies on that.
    if record.is_empty() || !record.len().is_multiple_of(16) {
        return None;
    }
    let mut context = context("SM4-CBC", provider);
    let mut mac_size = mac_size % 65;
    let parameter = |key: &'static CStr, kind, data: *mut c_void, size| sys::OSSL_PARAM {
        key: key.as_ptr(),
        data_type: kind,
        data,
        data_size: size,
        return_size: 0,
    };
    let params = [
        parameter(c"tls-version", 1, (&raw mut version).cast(), 4),
        parameter(c"tls-mac-size", 2, (&raw mut mac_size).cast(), 8),
        sys::OSSL_PARAM {
            key: null(),
            data_type: 0,
            data: null_mut(),
            data_size: 0,
            return_size: 0,
        },
    ];
    // SAFETY: the array ends and lives for the call.
    unsafe { EVP_CIPHER_CTX_set_params(context.as_ptr(), params.as_ptr()) };
    update(&mut context, record)
}
