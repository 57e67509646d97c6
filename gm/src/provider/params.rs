//! Tongsuo's named parameters (`OSSL_PARAM`), read and written with its own functions.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use openssl_sys::OSSL_PARAM;
use zeroize::Zeroizing;

use super::ffi::{Failed, Outcome};

/// `OSSL_PARAM_INTEGER` and its fellows (core.h).
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum Kind {
    Integer = 1,
    Unsigned = 2,
    Text = 4,
    Octets = 5,
    OctetPointer = 7,
}

unsafe extern "C" {
    fn OSSL_PARAM_get_size_t(p: *const OSSL_PARAM, value: *mut usize) -> c_int;
    fn OSSL_PARAM_get_uint(p: *const OSSL_PARAM, value: *mut c_uint) -> c_int;
    fn OSSL_PARAM_set_size_t(p: *mut OSSL_PARAM, value: usize) -> c_int;
    fn OSSL_PARAM_set_uint(p: *mut OSSL_PARAM, value: c_uint) -> c_int;
    fn OSSL_PARAM_set_int(p: *mut OSSL_PARAM, value: c_int) -> c_int;
    fn OSSL_PARAM_get_int(p: *const OSSL_PARAM, value: *mut c_int) -> c_int;
    fn OSSL_PARAM_get_octet_ptr(
        p: *const OSSL_PARAM,
        value: *mut *const c_void,
        length: *mut usize,
    ) -> c_int;
    fn OSSL_PARAM_set_utf8_string(p: *mut OSSL_PARAM, value: *const c_char) -> c_int;
    fn OSSL_PARAM_set_octet_string(
        p: *mut OSSL_PARAM,
        value: *const c_void,
        length: usize,
    ) -> c_int;
    fn OSSL_PARAM_set_octet_ptr(p: *mut OSSL_PARAM, value: *const c_void, length: usize) -> c_int;
}

/// A row of a table that says which parameters there are; a null row ends it.
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

    /// Text given.
    pub(super) fn text(&self) -> Outcome<&[u8]> {
        self.expect(Kind::Text)?;
        // SAFETY: the parameter says that so many bytes lie there.
        let text = unsafe { super::ffi::bytes(self.0.data.cast(), self.0.data_size) };
        let text = text.ok_or(Failed)?;
        // The size may or may not count a terminator.
        Ok(text.split(|byte| *byte == 0).next().unwrap_or(text))
    }

    /// A number given, that fits `int`.
    pub(super) fn int(&self) -> Outcome<c_int> {
        let mut value = 0;
        // SAFETY: the parameter is alive, the place is ours.
        done(unsafe { OSSL_PARAM_get_int(&*self.0, &mut value) })?;
        Ok(value)
    }

    /// An unsigned number of at most 256 bits given, most significant byte first.
    pub(super) fn big_number(&self) -> Outcome<Zeroizing<[u8; 32]>> {
        self.expect(Kind::Unsigned)?;
        // SAFETY: the parameter says that so many bytes lie there.
        let native = unsafe { super::ffi::bytes(self.0.data.cast(), self.0.data_size) };
        let native = native.ok_or(Failed)?;
        let mut out = Zeroizing::new([0; 32]);
        for (index, byte) in from_native(native.iter()).enumerate() {
            match out.len().checked_sub(index + 1) {
                Some(place) => out[place] = *byte,
                None if *byte != 0 => return Err(Failed),
                None => {}
            }
        }
        Ok(out)
    }

    /// A pointer given by reference.
    pub(super) fn pointer(&self) -> Outcome<*const c_void> {
        let mut value = std::ptr::null();
        // SAFETY: the parameter is alive, the place is ours; the length is not asked for.
        done(unsafe { OSSL_PARAM_get_octet_ptr(&*self.0, &mut value, std::ptr::null_mut()) })?;
        if value.is_null() {
            Err(Failed)
        } else {
            Ok(value)
        }
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

    /// Answers with a number.
    pub(super) fn answer_int(&mut self, value: c_int) -> Outcome {
        // SAFETY: the parameter is alive and ours to write.
        done(unsafe { OSSL_PARAM_set_int(self.0, value) })
    }

    /// Answers with text.
    pub(super) fn answer_text(&mut self, value: &CStr) -> Outcome {
        // SAFETY: the parameter is alive and ours to write; it checks its room.
        done(unsafe { OSSL_PARAM_set_utf8_string(self.0, value.as_ptr()) })
    }

    /// Answers with an unsigned number of 256 bits, given most significant byte first.
    pub(super) fn answer_big_number(&mut self, value: &[u8]) -> Outcome {
        self.expect(Kind::Unsigned)?;
        if self.0.data.is_null() {
            self.0.return_size = value.len();
            return Ok(());
        }
        if self.0.data_size < value.len() {
            return Err(Failed);
        }
        // SAFETY: the parameter says that there is so much room.
        let out =
            unsafe { std::slice::from_raw_parts_mut(self.0.data.cast::<u8>(), self.0.data_size) };
        out.fill(0);
        for (place, byte) in from_native(out.iter_mut()).zip(value.iter().rev()) {
            *place = *byte;
        }
        self.0.return_size = self.0.data_size;
        Ok(())
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

/// The bytes of a number in the order of this machine, least significant first.
fn from_native<I: DoubleEndedIterator>(bytes: I) -> impl Iterator<Item = I::Item> {
    let big = cfg!(target_endian = "big");
    let mut bytes = bytes;
    std::iter::from_fn(move || if big { bytes.next_back() } else { bytes.next() })
}

/// Parameters made to be handed to a callback.
#[derive(Default)]
pub(super) struct Export(Vec<(&'static CStr, Kind, Zeroizing<Vec<u8>>)>);

impl Export {
    /// Text.
    pub(super) fn text(&mut self, key: &'static CStr, value: &CStr) {
        self.0
            .push((key, Kind::Text, value.to_bytes_with_nul().to_vec().into()));
    }

    /// Octets.
    pub(super) fn octets(&mut self, key: &'static CStr, value: &[u8]) {
        self.0.push((key, Kind::Octets, value.to_vec().into()));
    }

    /// An unsigned number, given most significant byte first.
    pub(super) fn big_number(&mut self, key: &'static CStr, value: &[u8]) {
        let native = Zeroizing::new(from_native(value.iter().rev()).copied().collect());
        self.0.push((key, Kind::Unsigned, native));
    }

    /// Lends them as an array that ends.
    pub(super) fn with<T>(&mut self, lend: impl FnOnce(*const OSSL_PARAM) -> T) -> T {
        let row = |(key, kind, value): &mut (&'static CStr, Kind, Zeroizing<Vec<u8>>)| OSSL_PARAM {
            key: key.as_ptr(),
            data_type: *kind as u32,
            data: value.as_mut_ptr().cast(),
            // Text ends with a zero byte that does not count.
            data_size: value.len() - usize::from(matches!(kind, Kind::Text)),
            return_size: usize::MAX,
        };
        let mut params: Vec<OSSL_PARAM> = self.0.iter_mut().map(row).collect();
        params.push(DESCRIBE_END.0);
        lend(params.as_ptr())
    }
}

fn done(answer: c_int) -> Outcome {
    if answer == 1 { Ok(()) } else { Err(Failed) }
}
