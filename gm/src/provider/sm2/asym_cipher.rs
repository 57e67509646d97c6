//! Encryption and decryption, with TLCP's implicit rejection.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use openssl_sys::OSSL_PARAM;
use zeroize::Zeroizing;

use super::key::{Key, KeyData};
use crate::provider::ffi::{
    Dispatch, Failed, Outcome, answer, bytes, context, drop_context, guard, guard_pointer,
    into_context,
};
use crate::provider::params::{DESCRIBE_END, Description, Kind, describe, each};
use crate::sm2::{Ciphertext, PREMASTER_LEN, Random, SystemRandom};

/// The numbers are `OSSL_FUNC_ASYM_CIPHER_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, new as *const c_void),
    Dispatch::new(2, init as *const c_void),
    Dispatch::new(3, encrypt as *const c_void),
    Dispatch::new(4, init as *const c_void),
    Dispatch::new(5, decrypt as *const c_void),
    Dispatch::new(6, free as *const c_void),
    Dispatch::new(7, duplicate as *const c_void),
    Dispatch::new(8, get_params as *const c_void),
    Dispatch::new(9, gettable_params as *const c_void),
    Dispatch::new(10, set_params as *const c_void),
    Dispatch::new(11, settable_params as *const c_void),
    Dispatch::END,
];

static SETTABLE: [Description; 3] = [
    describe(c"digest", Kind::Text),
    describe(c"tls-client-version", Kind::Unsigned),
    DESCRIBE_END,
];

/// An operation in progress.
#[derive(Clone, Default)]
struct Operation {
    key: Option<Arc<Key>>,
    /// Not zero: what is decrypted is a premaster secret of a client that offered this version.
    client_version: u32,
}

impl Operation {
    fn key(&self) -> Outcome<&Key> {
        self.key.as_deref().ok_or(Failed)
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Outcome<Zeroizing<Vec<u8>>> {
        let private = self.key()?.private()?;
        if self.client_version == 0 {
            let ciphertext = Ciphertext::from_der(ciphertext).map_err(|_| Failed)?;
            return private.decrypt(&ciphertext).map_err(|_| Failed);
        }
        // GB/T 38636-2020, 6.4.5.8: whatever is wrong, the handshake goes on with a random secret and fails at Finished,
        // so that nobody learns from the answer.
        let mut fallback = Zeroizing::new([0; PREMASTER_LEN]);
        SystemRandom.fill(fallback.as_mut()).map_err(|_| Failed)?;
        let version = (self.client_version as u16).to_be_bytes();
        Ok(match Ciphertext::from_der(ciphertext) {
            Ok(ciphertext) => private.decrypt_premaster(&ciphertext, version, &fallback),
            Err(_) => Zeroizing::new(fallback.to_vec()),
        })
    }
}

/// Applies the settings that arrive with a key or alone.
///
/// # Safety
/// The array is null or ends with a null key, and lives.
unsafe fn apply(operation: &mut Operation, params: *const OSSL_PARAM) -> Outcome {
    // SAFETY: promised by the caller.
    for param in unsafe { each(params) } {
        match param.key() {
            b"digest" if !param.text()?.eq_ignore_ascii_case(b"SM3") => return Err(Failed),
            b"tls-client-version" => operation.client_version = param.number()?,
            _ => {}
        }
    }
    Ok(())
}

unsafe extern "C" fn new(_provider: *mut c_void) -> *mut c_void {
    guard_pointer(|| into_context(Operation::default()))
}

unsafe extern "C" fn free(operation: *mut c_void) {
    // SAFETY: the operation came from `new` or `duplicate`.
    unsafe { drop_context::<Operation>(operation) }
}

unsafe extern "C" fn duplicate(operation: *mut c_void) -> *mut c_void {
    guard_pointer(|| {
        // SAFETY: the operation came from `new` or `duplicate`.
        let operation = unsafe { context::<Operation>(operation) };
        operation.map_or(std::ptr::null_mut(), |operation| {
            into_context(operation.clone())
        })
    })
}

unsafe extern "C" fn init(
    operation: *mut c_void,
    key: *const c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives a key of this provider; the array ends.
        unsafe {
            let operation = context::<Operation>(operation)?;
            operation.key = Some(KeyData::behind(key)?.0.clone());
            apply(operation, params)
        }
    })
}

unsafe extern "C" fn encrypt(
    operation: *mut c_void,
    out: *mut u8,
    length: *mut usize,
    room: usize,
    message: *const u8,
    message_length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives the bytes.
        let (operation, message) = unsafe {
            (
                context::<Operation>(operation)?,
                bytes(message, message_length),
            )
        };
        if out.is_null() {
            // SAFETY: the core gives a place for the length.
            unsafe { answer(length, Ciphertext::max_der_len(message_length)) };
            return Ok(());
        }
        let public = operation.key()?.public()?;
        let ciphertext = public.encrypt(message.ok_or(Failed)?, &mut SystemRandom);
        let ciphertext = ciphertext.map_err(|_| Failed)?.to_der();
        // SAFETY: the core gives `room` bytes, and a place for the length.
        unsafe { put(out, length, room, &ciphertext) }
    })
}

unsafe extern "C" fn decrypt(
    operation: *mut c_void,
    out: *mut u8,
    length: *mut usize,
    room: usize,
    ciphertext: *const u8,
    ciphertext_length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives the bytes.
        let (operation, ciphertext) = unsafe {
            (
                context::<Operation>(operation)?,
                bytes(ciphertext, ciphertext_length),
            )
        };
        let ciphertext = ciphertext.ok_or(Failed)?;
        if out.is_null() {
            let needed = match operation.client_version {
                0 => Ciphertext::from_der(ciphertext)
                    .map_err(|_| Failed)?
                    .message_len(),
                _ => PREMASTER_LEN,
            };
            // SAFETY: the core gives a place for the length.
            unsafe { answer(length, needed) };
            return Ok(());
        }
        let message = operation.decrypt(ciphertext)?;
        // SAFETY: the core gives `room` bytes, and a place for the length.
        unsafe { put(out, length, room, &message) }
    })
}

/// # Safety
/// `out` has `room` bytes, `length` is null or a place.
unsafe fn put(out: *mut u8, length: *mut usize, room: usize, data: &[u8]) -> Outcome {
    if room < data.len() {
        return Err(Failed);
    }
    // SAFETY: promised by the caller; the room was checked.
    unsafe {
        out.copy_from_nonoverlapping(data.as_ptr(), data.len());
        answer(length, data.len());
    }
    Ok(())
}

unsafe extern "C" fn get_params(operation: *mut c_void, params: *mut OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the array ends.
        let (operation, params) = unsafe { (context::<Operation>(operation)?, each(params)) };
        for mut param in params {
            match param.key() {
                b"digest" => param.answer_text(c"SM3")?,
                b"tls-client-version" => param.answer_number(operation.client_version)?,
                _ => {}
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn gettable_params(
    _operation: *mut c_void,
    _provider: *mut c_void,
) -> *const Description {
    SETTABLE.as_ptr()
}

unsafe extern "C" fn set_params(operation: *mut c_void, params: *const OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the array ends.
        unsafe { apply(context::<Operation>(operation)?, params) }
    })
}

unsafe extern "C" fn settable_params(
    _operation: *mut c_void,
    _provider: *mut c_void,
) -> *const Description {
    SETTABLE.as_ptr()
}
