//! Entry functions every kind of operation has: its context is made, copied and ended, its parameters are taken and told.

use std::ffi::{c_int, c_void};

use openssl_sys::OSSL_PARAM;

use super::ffi::{Outcome, context, drop_context, guard, guard_pointer, into_context};
use super::params::{Description, Param, each};

/// An operation with named parameters.
pub(super) trait Parameters {
    /// What [`Parameters::answer`] knows; ends with `DESCRIBE_END`.
    const GETTABLE: &'static [Description];
    /// What [`Parameters::set`] knows; ends with `DESCRIBE_END`.
    const SETTABLE: &'static [Description];

    /// Takes a parameter; unknown ones are ignored.
    fn set(&mut self, param: &Param) -> Outcome;

    /// Answers for a parameter; unknown ones are ignored.
    fn answer(&mut self, param: &mut Param) -> Outcome;
}

/// Takes the parameters that arrive with a key or alone.
///
/// # Safety
/// The array is null or ends with a null key; it lives, as does what it points to.
pub(super) unsafe fn apply<T: Parameters>(state: &mut T, params: *const OSSL_PARAM) -> Outcome {
    // SAFETY: promised by the caller.
    unsafe { each(params) }.try_for_each(|param| state.set(&param))
}

pub(super) unsafe extern "C" fn new<T: Default>(_provider: *mut c_void) -> *mut c_void {
    guard_pointer(|| into_context(T::default()))
}

pub(super) unsafe extern "C" fn free<T>(state: *mut c_void) {
    // SAFETY: the state came from `new` or `duplicate`.
    unsafe { drop_context::<T>(state) }
}

pub(super) unsafe extern "C" fn duplicate<T: Clone>(state: *mut c_void) -> *mut c_void {
    guard_pointer(|| {
        // SAFETY: the state came from `new` or `duplicate`.
        let state = unsafe { context::<T>(state) };
        state.map_or(std::ptr::null_mut(), |state| into_context(state.clone()))
    })
}

pub(super) unsafe extern "C" fn set_params<T: Parameters>(
    state: *mut c_void,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the state came from `new` or `duplicate`; the core gives an array that ends.
        unsafe { apply(context::<T>(state)?, params) }
    })
}

pub(super) unsafe extern "C" fn get_params<T: Parameters>(
    state: *mut c_void,
    params: *mut OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the state came from `new` or `duplicate`; the core gives an array that ends.
        let (state, mut params) = unsafe { (context::<T>(state)?, each(params)) };
        params.try_for_each(|mut param| state.answer(&mut param))
    })
}

pub(super) unsafe extern "C" fn settable_params<T: Parameters>(
    _state: *mut c_void,
    _provider: *mut c_void,
) -> *const Description {
    T::SETTABLE.as_ptr()
}

pub(super) unsafe extern "C" fn gettable_params<T: Parameters>(
    _state: *mut c_void,
    _provider: *mut c_void,
) -> *const Description {
    T::GETTABLE.as_ptr()
}
