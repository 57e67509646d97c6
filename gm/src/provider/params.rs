//! Tongsuo's named parameters (`OSSL_PARAM`), read and written with its own functions.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use openssl_sys::OSSL_PARAM;

use super::ffi::{Failed, Outcome};

/// `OSSL_PARAM_INTEGER` and its fellows (core.h).
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Kind {
    Integer = 1,
    Unsigned = 2,
    Octets = 5,
    OctetPointer = 7,
}

unsafe extern "C" {
    fn OSSL_PARAM_get_size_t(p: *const OSSL_PARAM, value: *mut usize) -> c_int;
    fn OSSL_PARAM_get_uint(p: *const OSSL_PARAM, value: *mut c_uint) -> c_int;
    fn OSSL_PARAM_set_size_t(p: *mut OSSL_PARAM, value: usize) -> c_int;
    fn OSSL_PARAM_set_uint(p: *mut OSSL_PARAM, value: c_uint) -> c_int;
    fn OSSL_PARAM_set_int(p: *mut OSSL_PARAM, value: c_int) -> c_int;
    fn OSSL_PARAM_set_octet_string(
        p: *mut OSSL_PARAM,
        value: *const c_void,
        length: usize,
    ) -> c_int;
    fn OSSL_PARAM_set_octet_ptr(p: *mut OSSL_PARAM, value: *const c_void, length: usize) -> c_int;
}

/// A row of a table that says which parameters there are; [`describe_end`] ends it.
pub(super) const fn describe(key: &'static CStr, kind: Kind) -> Description {
    Description(OSSL_PARAM {
        key: key.as_ptr(),
        data_type: kind as u32,
        data: std::ptr::null_mut(),
        data_size: 0,
        return_size: usize::MAX,
    })
}

/// The end of such a table.
pub(super) const DESCRIBE_END: Description = Description(OSSL_PARAM {
    key: std::ptr::null(),
    data_type: 0,
    data: std::ptr::null_mut(),
    data_size: 0,
    return_size: 0,
});

/// A parameter that only describes; tables of them are constants.
#[repr(transparent)]
pub(super) struct Description(OSSL_PARAM);

// SAFETY: the only pointer is to a constant.
unsafe impl Sync for Description {}

/// The parameters of an array that is null or ends with a null key.
///
/// # Safety
/// The array is alive and used by nobody else for `'a`.
pub(super) unsafe fn each<'a>(params: *const OSSL_PARAM) -> impl Iterator<Item = Param<'a>> {
    let mut next = params.cast_mut();
    std::iter::from_fn(move || {
        // SAFETY: promised by the caller; the end was not passed yet.
        let param = unsafe { next.as_mut() }.filter(|param| !param.key.is_null())?;
        next = next.wrapping_add(1);
        Some(Param(param))
    })
}

/// One parameter: a value given, or a place for an answer.
pub(super) struct Param<'a>(&'a mut OSSL_PARAM);

impl Param<'_> {
    /// Its name.
    pub(super) fn key(&self) -> &[u8] {
        let key: *const c_char = self.0.key;
        // SAFETY: keys are C strings; `each` has seen that there is one.
        unsafe { CStr::from_ptr(key) }.to_bytes()
    }

    /// A number given, that fits `size_t`.
    pub(super) fn size(&self) -> Outcome<usize> {
        let mut value = 0;
        // SAFETY: the parameter is alive, the place is ours.
        done(unsafe { OSSL_PARAM_get_size_t(&*self.0, &mut value) })?;
        Ok(value)
    }

    /// A number given, that fits `unsigned int`.
    pub(super) fn number(&self) -> Outcome<u32> {
        let mut value = 0;
        // SAFETY: the parameter is alive, the place is ours.
        done(unsafe { OSSL_PARAM_get_uint(&*self.0, &mut value) })?;
        Ok(value)
    }

    /// Octets given. Nothing, when only their number is: see [`Param::length`].
    pub(super) fn octets(&self) -> Outcome<Option<&[u8]>> {
        self.expect(Kind::Octets)?;
        // SAFETY: the parameter says that so many bytes lie there.
        Ok(unsafe { super::ffi::bytes(self.0.data.cast(), self.0.data_size) })
    }

    /// The number of octets given or asked for.
    pub(super) fn length(&self) -> usize {
        self.0.data_size
    }

    /// Answers with a number.
    pub(super) fn answer_size(&mut self, value: usize) -> Outcome {
        // SAFETY: the parameter is alive and ours to write.
        done(unsafe { OSSL_PARAM_set_size_t(self.0, value) })
    }

    /// Answers with a number.
    pub(super) fn answer_number(&mut self, value: u32) -> Outcome {
        // SAFETY: the parameter is alive and ours to write.
        done(unsafe { OSSL_PARAM_set_uint(self.0, value) })
    }

    /// Answers with a truth value.
    pub(super) fn answer_flag(&mut self, value: bool) -> Outcome {
        // SAFETY: the parameter is alive and ours to write.
        done(unsafe { OSSL_PARAM_set_int(self.0, value.into()) })
    }

    /// Answers with a copy of octets.
    pub(super) fn answer_octets(&mut self, value: &[u8]) -> Outcome {
        // SAFETY: the parameter is alive and ours to write; it checks its room.
        done(unsafe { OSSL_PARAM_set_octet_string(self.0, value.as_ptr().cast(), value.len()) })
    }

    /// Answers with octets, or with a pointer to them where that is asked; they must stay until the next call on the
    /// same context.
    pub(super) fn answer_octets_or_pointer(&mut self, value: &[u8]) -> Outcome {
        if self.0.data_type == Kind::OctetPointer as u32 {
            // SAFETY: as above.
            return done(unsafe {
                OSSL_PARAM_set_octet_ptr(self.0, value.as_ptr().cast(), value.len())
            });
        }
        self.answer_octets(value)
    }

    fn expect(&self, kind: Kind) -> Outcome {
        if self.0.data_type == kind as u32 {
            Ok(())
        } else {
            Err(Failed)
        }
    }
}

fn done(answer: c_int) -> Outcome {
    if answer == 1 { Ok(()) } else { Err(Failed) }
}
