//! Records through Tongsuo with the cipher of one provider or of the other: what fuzzing compares. Not used by the daemon.

#![expect(
    unsafe_code,
    reason = "the record layer's controls have no safe wrapper; each block says why it is sound"
)]

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{null, null_mut};

use foreign_types::ForeignType;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use openssl_sys as sys;

use crate::ready;

/// Whose cipher decrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Ours, where this processor has instructions for it.
    Ours,
    /// Tongsuo's own.
    Tongsuos,
}

/// How a record is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// SM4-GCM, as in TLCP and TLS 1.2.
    Gcm,
    /// SM4-CCM, as in TLS 1.2.
    Ccm,
    /// SM4-CBC with a MAC before the padding.
    Cbc {
        /// 0x0101 for TLCP, 0x0301 to 0x0303 for TLS.
        version: u16,
        /// Bytes of the MAC; at most 64 make sense.
        mac_size: usize,
    },
}

/// Decrypts a record under a fixed key, as Tongsuo's record layer does: its content, if it is accepted.
pub fn open_record(whose: Whose, protection: Protection, record: &[u8]) -> Option<Vec<u8>> {
    ready();
    match protection {
        Protection::Gcm => open_aead("SM4-GCM", whose, record),
        Protection::Ccm => open_aead("SM4-CCM", whose, record),
        Protection::Cbc { version, mac_size } => open_cbc(whose, version, mac_size, record),
    }
}

fn context(name: &str, whose: Whose) -> Result<CipherCtx, ErrorStack> {
    let properties = match whose {
        Whose::Ours => "?provider=alb",
        Whose::Tongsuos => "provider=default",
    };
    let cipher = Cipher::fetch(None, name, Some(properties))?;
    let mut context = CipherCtx::new()?;
    context.decrypt_init(Some(&cipher), None, None)?;
    if name == "SM4-CCM" {
        context.set_iv_length(12)?;
        context.set_tag_length(16)?;
    }
    let iv = (name == "SM4-CBC").then_some(&[0; 16][..]);
    context.decrypt_init(None, Some(&[7; 16]), iv)?;
    Ok(context)
}

/// Decrypts in place: the content, as long as the cipher says it is.
fn update(context: &mut CipherCtx, record: &[u8]) -> Option<Vec<u8>> {
    let (mut buffer, mut written) = (record.to_vec(), 0);
    let (at, length) = (buffer.as_mut_ptr(), c_int::try_from(record.len()).ok()?);
    // SAFETY: the buffer is as long as the record, and decrypting writes no more.
    let done = unsafe { sys::EVP_CipherUpdate(context.as_ptr(), at, &mut written, at, length) };
    buffer.truncate(usize::try_from(written).ok()?);
    (done == 1).then_some(buffer)
}

fn open_aead(name: &str, whose: Whose, record: &[u8]) -> Option<Vec<u8>> {
    const SET_IV_FIXED: c_int = 0x12;
    const TLS1_AAD: c_int = 0x16;
    let mut context = context(name, whose).ok()?;
    let length = u16::try_from(record.len()).ok()?;
    let mut additional = [&[0; 8][..], &[23, 1, 1], &length.to_be_bytes()].concat();
    let mut fixed = [9u8; 4];
    // SAFETY: the controls read and write four and thirteen bytes, as many as there are.
    let padding = unsafe {
        let context = context.as_ptr();
        sys::EVP_CIPHER_CTX_ctrl(context, SET_IV_FIXED, 4, fixed.as_mut_ptr().cast());
        sys::EVP_CIPHER_CTX_ctrl(context, TLS1_AAD, 13, additional.as_mut_ptr().cast())
    };
    (padding > 0).then(|| update(&mut context, record))?
}

unsafe extern "C" {
    fn EVP_CIPHER_CTX_set_params(
        context: *mut sys::EVP_CIPHER_CTX,
        params: *const sys::OSSL_PARAM,
    ) -> c_int;
}

fn open_cbc(whose: Whose, version: u16, mut mac_size: usize, record: &[u8]) -> Option<Vec<u8>> {
    // The record layer passes whole blocks, at least one; Tongsuo's own cipher relies on that.
    if record.is_empty() || !record.len().is_multiple_of(16) {
        return None;
    }
    let mut context = context("SM4-CBC", whose).ok()?;
    let mut version = c_int::from(version);
    let parameter = |key: Option<&'static CStr>, kind, data: *mut c_void, size| sys::OSSL_PARAM {
        key: key.map_or(null(), CStr::as_ptr),
        data_type: kind,
        data,
        data_size: size,
        return_size: 0,
    };
    let params = [
        parameter(Some(c"tls-version"), 1, (&raw mut version).cast(), 4),
        parameter(Some(c"tls-mac-size"), 2, (&raw mut mac_size).cast(), 8),
        parameter(None, 0, null_mut(), 0),
    ];
    // SAFETY: the array ends with a null key, and it and the numbers live for the call.
    let taken = unsafe { EVP_CIPHER_CTX_set_params(context.as_ptr(), params.as_ptr()) };
    (taken == 1).then(|| update(&mut context, record))?
}
