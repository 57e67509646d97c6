//! Generating keys: by name, or after the template of a peer's key.

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use openssl_sys::OSSL_PARAM;

use super::key::{Key, KeyData, SELECT_PAIR, is_group};
use crate::provider::ffi::{
    Failed, Outcome, context, drop_context, guard, guard_pointer, into_context,
};
use crate::provider::params::{DESCRIBE_END, Description, Kind, describe, each};
use crate::sm2::{PrivateKey, SystemRandom};

/// What is to be generated.
struct Generation {
    selection: c_int,
}

static SETTABLE: [Description; 2] = [describe(c"group", Kind::Text), DESCRIBE_END];

/// `OSSL_FUNC_keymgmt_gen_init_fn`
pub(super) unsafe extern "C" fn init(
    _provider: *mut c_void,
    selection: c_int,
    params: *const OSSL_PARAM,
) -> *mut c_void {
    guard_pointer(|| {
        // SAFETY: the array ends.
        match unsafe { check(params) } {
            Ok(()) => into_context(Generation { selection }),
            Err(Failed) => std::ptr::null_mut(),
        }
    })
}

/// A template can only be of this curve, so it says nothing new.
pub(super) unsafe extern "C" fn set_template(
    _generation: *mut c_void,
    template: *mut c_void,
) -> c_int {
    // SAFETY: the template is a key of this provider.
    guard(|| unsafe { KeyData::behind(template) }.map(|_| ()))
}

pub(super) unsafe extern "C" fn set_params(
    _generation: *mut c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    // SAFETY: the array ends.
    guard(|| unsafe { check(params) })
}

/// Refuses any other curve.
///
/// # Safety
/// The array is null or ends with a null key, and lives.
unsafe fn check(params: *const OSSL_PARAM) -> Outcome {
    // SAFETY: promised by the caller.
    for param in unsafe { each(params) } {
        if param.key() == b"group" && !is_group(param.text()?) {
            return Err(Failed);
        }
    }
    Ok(())
}

pub(super) unsafe extern "C" fn settable_params(
    _generation: *mut c_void,
    _provider: *mut c_void,
) -> *const Description {
    SETTABLE.as_ptr()
}

/// `OSSL_FUNC_keymgmt_gen_fn`
pub(super) unsafe extern "C" fn run(
    generation: *mut c_void,
    _progress: *const c_void,
    _argument: *mut c_void,
) -> *mut c_void {
    guard_pointer(|| {
        // SAFETY: the generation came from `init`.
        let Ok(generation) = (unsafe { context::<Generation>(generation) }) else {
            return std::ptr::null_mut();
        };
        if generation.selection & SELECT_PAIR == 0 {
            return into_context(KeyData(Arc::new(Key::Parameters)));
        }
        PrivateKey::generate(&mut SystemRandom).map_or(std::ptr::null_mut(), |key| {
            into_context(KeyData(Arc::new(Key::of_private(key))))
        })
    })
}

pub(super) unsafe extern "C" fn cleanup(generation: *mut c_void) {
    // SAFETY: the generation came from `init`.
    unsafe { drop_context::<Generation>(generation) }
}
