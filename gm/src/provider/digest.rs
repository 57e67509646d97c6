//! SM3 as a digest of Tongsuo; HMAC, the TLS PRF and signatures reach it by its name.

use std::ffi::{c_int, c_void};

use openssl_sys::OSSL_PARAM;

use super::ffi::{Dispatch, Failed, answer, bytes, context, guard};
use super::lifecycle;
use super::params::{DESCRIBE_END, Description, Kind, describe, each};
use crate::sm3::{BLOCK_LEN, DIGEST_LEN, Sm3};

/// The functions of SM3; the numbers are `OSSL_FUNC_DIGEST_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, lifecycle::new::<Sm3> as *const c_void),
    Dispatch::new(2, init as *const c_void),
    Dispatch::new(3, update as *const c_void),
    Dispatch::new(4, finish as *const c_void),
    Dispatch::new(6, lifecycle::free::<Sm3> as *const c_void),
    Dispatch::new(7, lifecycle::duplicate::<Sm3> as *const c_void),
    Dispatch::new(8, get_params as *const c_void),
    Dispatch::new(11, gettable_params as *const c_void),
    Dispatch::new(15, copy as *const c_void),
    Dispatch::END,
];

static GETTABLE: [Description; 5] = [
    describe(c"blocksize", Kind::Unsigned),
    describe(c"size", Kind::Unsigned),
    describe(c"xof", Kind::Integer),
    describe(c"algid-absent", Kind::Integer),
    DESCRIBE_END,
];

unsafe extern "C" fn copy(to: *mut c_void, from: *mut c_void) {
    guard(|| {
        // SAFETY: both came from `new` or `duplicate`, and are two.
        let (to, from) = unsafe { (context::<Sm3>(to)?, context::<Sm3>(from)?) };
        *to = from.clone();
        Ok(())
    });
}

unsafe extern "C" fn init(state: *mut c_void, _params: *const OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the state came from `new` or `duplicate`.
        *unsafe { context::<Sm3>(state) }? = Sm3::new();
        Ok(())
    })
}

unsafe extern "C" fn update(state: *mut c_void, data: *const u8, length: usize) -> c_int {
    guard(|| {
        // SAFETY: the state came from `new` or `duplicate`; the core gives `length` bytes.
        let (state, data) = unsafe { (context::<Sm3>(state)?, bytes(data, length)) };
        state.update(data.unwrap_or_default());
        Ok(())
    })
}

unsafe extern "C" fn finish(
    state: *mut c_void,
    out: *mut u8,
    length: *mut usize,
    room: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the state came from `new` or `duplicate`.
        let state = unsafe { context::<Sm3>(state) }?;
        if out.is_null() || room < DIGEST_LEN {
            return Err(Failed);
        }
        let digest = std::mem::take(state).finish();
        // SAFETY: the room was checked; the core gives a place for the length.
        unsafe {
            out.cast::<[u8; DIGEST_LEN]>().write(digest);
            answer(length, DIGEST_LEN);
        }
        Ok(())
    })
}

unsafe extern "C" fn get_params(params: *mut OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the core gives an array that ends.
        for mut param in unsafe { each(params) } {
            match param.key() {
                b"blocksize" => param.answer_size(BLOCK_LEN)?,
                b"size" => param.answer_size(DIGEST_LEN)?,
                b"xof" | b"algid-absent" => param.answer_flag(false)?,
                _ => {}
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn gettable_params(_provider: *mut c_void) -> *const Description {
    GETTABLE.as_ptr()
}
