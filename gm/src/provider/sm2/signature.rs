//! Signing and verifying: a digest given, or a message with Z before it.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use openssl_sys::OSSL_PARAM;

use super::key::{Key, KeyData};
use super::verified;
use crate::provider::ffi::{
    Dispatch, Failed, Outcome, answer, bytes, context, guard, guard_pointer, into_context, is_text,
};
use crate::provider::lifecycle::{self, Parameters, apply};
use crate::provider::params::{DESCRIBE_END, Description, Kind, Param, describe};
use crate::sm2::{Signature, SystemRandom};
use crate::sm3::{DIGEST_LEN, Sm3};

/// The numbers are `OSSL_FUNC_SIGNATURE_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, new as *const c_void),
    Dispatch::new(2, init as *const c_void),
    Dispatch::new(3, sign as *const c_void),
    Dispatch::new(4, init as *const c_void),
    Dispatch::new(5, verify as *const c_void),
    Dispatch::new(8, digest_init as *const c_void),
    Dispatch::new(9, digest_update as *const c_void),
    Dispatch::new(10, digest_sign_final as *const c_void),
    Dispatch::new(12, digest_init as *const c_void),
    Dispatch::new(13, digest_update as *const c_void),
    Dispatch::new(14, digest_verify_final as *const c_void),
    Dispatch::new(16, lifecycle::free::<Operation> as *const c_void),
    Dispatch::new(17, lifecycle::duplicate::<Operation> as *const c_void),
    Dispatch::new(18, lifecycle::get_params::<Operation> as *const c_void),
    Dispatch::new(19, lifecycle::gettable_params::<Operation> as *const c_void),
    Dispatch::new(20, lifecycle::set_params::<Operation> as *const c_void),
    Dispatch::new(21, lifecycle::settable_params::<Operation> as *const c_void),
    Dispatch::END,
];

/// SM2-with-SM3 without parameters (GM/T 0092-2020), in DER.
const ALGORITHM_ID: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75,
];

/// The longest DER signature.
const SIGNATURE_ROOM: usize = 72;

/// An operation in progress.
#[derive(Clone, Default)]
struct Operation {
    key: Option<Arc<Key>>,
    /// The signer's identifier where it is not the default one.
    id: Option<Vec<u8>>,
    /// Where the message stands for itself, without Z.
    without_z: bool,
    /// The message so far, once it has begun.
    message: Option<Sm3>,
}

impl Operation {
    fn begin(&mut self, key: *const c_void) -> Outcome {
        if !key.is_null() {
            // SAFETY: the core gives a key of this provider.
            self.key = Some(unsafe { KeyData::behind(key) }?.0.clone());
        }
        self.message = None;
        if self.key.is_some() {
            Ok(())
        } else {
            Err(Failed)
        }
    }

    fn key(&self) -> Outcome<&Key> {
        self.key.as_deref().ok_or(Failed)
    }

    /// The hash of the message, with Z in it from the first byte on.
    fn message(&mut self) -> Outcome<&mut Sm3> {
        if self.message.is_none() {
            let mut hash = Sm3::new();
            if !self.without_z {
                hash.update(&self.key()?.z(self.id.as_deref())?);
            }
            self.message = Some(hash);
        }
        self.message.as_mut().ok_or(Failed)
    }

    fn finish(&mut self) -> Outcome<[u8; DIGEST_LEN]> {
        self.message()?;
        self.message.take().map(Sm3::finish).ok_or(Failed)
    }

    fn sign(&self, digest: &[u8]) -> Outcome<Vec<u8>> {
        let digest = digest.try_into().map_err(|_| Failed)?;
        let signature = self
            .key()?
            .private()?
            .sign_digest(digest, &mut SystemRandom);
        Ok(signature.map_err(|_| Failed)?.to_der())
    }

    fn verify(&self, digest: &[u8], signature: &[u8]) -> Outcome {
        let digest = digest.try_into().map_err(|_| Failed)?;
        let signature = Signature::from_der(signature).map_err(|_| Failed)?;
        if verified::verify(self.key()?.public()?, digest, &signature) {
            Ok(())
        } else {
            Err(Failed)
        }
    }
}

impl Parameters for Operation {
    const GETTABLE: &'static [Description] = &[
        describe(c"algorithm-id", Kind::Octets),
        describe(c"digest-size", Kind::Unsigned),
        describe(c"digest", Kind::Text),
        DESCRIBE_END,
    ];

    const SETTABLE: &'static [Description] = &[
        describe(c"digest-size", Kind::Unsigned),
        describe(c"digest", Kind::Text),
        describe(c"distid", Kind::Octets),
        describe(c"sm2-za", Kind::Text),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            // Too late, once Z is in the hash.
            b"distid" if self.message.is_some() => return Err(Failed),
            b"distid" => {
                self.id = param
                    .octets()?
                    .filter(|id| !id.is_empty())
                    .map(<[u8]>::to_vec)
            }
            b"sm2-za" => self.without_z = param.text()?.eq_ignore_ascii_case(b"no"),
            b"digest" if !param.text()?.eq_ignore_ascii_case(b"SM3") => return Err(Failed),
            b"digest-size" if param.size()? != DIGEST_LEN => return Err(Failed),
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"algorithm-id" => param.answer_octets(&ALGORITHM_ID),
            b"digest-size" => param.answer_size(DIGEST_LEN),
            b"digest" => param.answer_text(c"SM3"),
            _ => Ok(()),
        }
    }
}

unsafe extern "C" fn new(_provider: *mut c_void, _properties: *const c_char) -> *mut c_void {
    guard_pointer(|| into_context(Operation::default()))
}

unsafe extern "C" fn init(
    operation: *mut c_void,
    key: *const c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the array ends.
        let operation = unsafe { context::<Operation>(operation) }?;
        operation.begin(key)?;
        // SAFETY: the array ends.
        unsafe { apply(operation, params) }
    })
}

unsafe extern "C" fn digest_init(
    operation: *mut c_void,
    digest: *const c_char,
    key: *const c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the name is null or a C string.
        let operation = unsafe { context::<Operation>(operation) }?;
        operation.without_z = false;
        operation.begin(key)?;
        // SAFETY: as above; the array ends.
        unsafe {
            if !digest.is_null() && !is_text(digest, b"SM3") {
                return Err(Failed);
            }
            apply(operation, params)
        }
    })
}

unsafe extern "C" fn digest_update(
    operation: *mut c_void,
    data: *const u8,
    length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives `length` bytes.
        let (operation, data) = unsafe { (context::<Operation>(operation)?, bytes(data, length)) };
        operation.message()?.update(data.unwrap_or_default());
        Ok(())
    })
}

unsafe extern "C" fn digest_sign_final(
    operation: *mut c_void,
    signature: *mut u8,
    length: *mut usize,
    room: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`.
        let operation = unsafe { context::<Operation>(operation) }?;
        let signed = || {
            let digest = operation.finish()?;
            operation.sign(&digest)
        };
        // SAFETY: the core gives `room` bytes, and a place for the length.
        unsafe { put_signature(signature, length, room, signed) }
    })
}

unsafe extern "C" fn sign(
    operation: *mut c_void,
    signature: *mut u8,
    length: *mut usize,
    room: usize,
    digest: *const u8,
    digest_length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives `digest_length` bytes.
        let (operation, digest) = unsafe {
            (
                context::<Operation>(operation)?,
                bytes(digest, digest_length),
            )
        };
        let signed = || operation.sign(digest.ok_or(Failed)?);
        // SAFETY: the core gives `room` bytes, and a place for the length.
        unsafe { put_signature(signature, length, room, signed) }
    })
}

/// Writes what `sign` gives; without a place, says only how long it can be.
///
/// # Safety
/// `signature` is null or has `room` bytes, `length` is null or a place.
unsafe fn put_signature(
    signature: *mut u8,
    length: *mut usize,
    room: usize,
    sign: impl FnOnce() -> Outcome<Vec<u8>>,
) -> Outcome {
    if signature.is_null() {
        // SAFETY: promised by the caller.
        unsafe { answer(length, SIGNATURE_ROOM) };
        return Ok(());
    }
    let signed = sign()?;
    if room < signed.len() {
        return Err(Failed);
    }
    // SAFETY: promised by the caller; the room was checked.
    unsafe {
        signature.copy_from_nonoverlapping(signed.as_ptr(), signed.len());
        answer(length, signed.len());
    }
    Ok(())
}

unsafe extern "C" fn digest_verify_final(
    operation: *mut c_void,
    signature: *const u8,
    length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives `length` bytes.
        let (operation, signature) =
            unsafe { (context::<Operation>(operation)?, bytes(signature, length)) };
        let digest = operation.finish()?;
        operation.verify(&digest, signature.ok_or(Failed)?)
    })
}

unsafe extern "C" fn verify(
    operation: *mut c_void,
    signature: *const u8,
    length: usize,
    digest: *const u8,
    digest_length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the operation came from `new` or `duplicate`; the core gives the bytes.
        let (operation, signature, digest) = unsafe {
            (
                context::<Operation>(operation)?,
                bytes(signature, length),
                bytes(digest, digest_length),
            )
        };
        operation.verify(digest.ok_or(Failed)?, signature.ok_or(Failed)?)
    })
}
