//! Encryption and decryption, with TLCP's implicit rejection.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use openssl_sys::OSSL_PARAM;
use zeroize::Zeroizing;

use super::key::{Key, KeyData};
use crate::provider::ffi::{Dispatch, Failed, Outcome, answer, bytes, context, guard};
use crate::provider::lifecycle::{self, Parameters, apply};
use crate::provider::params::{DESCRIBE_END, Description, Kind, Param, describe};
use crate::sm2::{Ciphertext, PREMASTER_LEN, Random, SystemRandom};

/// The numbers are `OSSL_FUNC_ASYM_CIPHER_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, lifecycle::new::<Operation> as *const c_void),
    Dispatch::new(2, init as *const c_void),
    Dispatch::new(3, encrypt as *const c_void),
    Dispatch::new(4, init as *const c_void),
    Dispatch::new(5, decrypt as *const c_void),
    Dispatch::new(6, lifecycle::free::<Operation> as *const c_void),
    Dispatch::new(7, lifecycle::duplicate::<Operation> as *const c_void),
    Dispatch::new(8, lifecycle::get_params::<Operation> as *const c_void),
    Dispatch::new(9, lifecycle::gettable_params::<Operation> as *const c_void),
    Dispatch::new(10, lifecycle::set_params::<Operation> as *const c_void),
    Dispatch::new(11, lifecycle::settable_params::<Operation> as *const c_void),
    Dispatch::END,
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

impl Parameters for Operation {
    const GETTABLE: &'static [Description] = Self::SETTABLE;

    const SETTABLE: &'static [Description] = &[
        describe(c"digest", Kind::Text),
        describe(c"tls-client-version", Kind::Unsigned),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            b"digest" if !param.text()?.eq_ignore_ascii_case(b"SM3") => return Err(Failed),
            b"tls-client-version" => self.client_version = param.number()?,
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"digest" => param.answer_text(c"SM3"),
            b"tls-client-version" => param.answer_number(self.client_version),
            _ => Ok(()),
        }
    }
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
