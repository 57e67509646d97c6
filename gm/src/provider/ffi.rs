//! What every operation needs to face C: dispatch tables, contexts behind pointers, buffers, panics stopped.

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One row of a table of functions (`OSSL_DISPATCH`); identifier zero ends a table.
#[repr(C)]
pub(super) struct Dispatch {
    id: c_int,
    function: *const c_void,
}

// SAFETY: the pointers are to functions.
unsafe impl Sync for Dispatch {}

impl Dispatch {
    /// The end of a table.
    pub(super) const END: Self = Self {
        id: 0,
        function: std::ptr::null(),
    };

    /// `function` is `f as *const c_void` where `f` has the signature of `id` in Tongsuo's core_dispatch.h.
    pub(super) const fn new(id: c_int, function: *const c_void) -> Self {
        Self { id, function }
    }
}

/// One row of a table of algorithms (`OSSL_ALGORITHM`); no names end a table.
#[repr(C)]
pub(super) struct Algorithm {
    names: *const c_char,
    properties: *const c_char,
    implementation: *const Dispatch,
    description: *const c_char,
}

// SAFETY: the pointers are to constants.
unsafe impl Sync for Algorithm {}

impl Algorithm {
    /// The end of a table.
    pub(super) const END: Self = Self {
        names: std::ptr::null(),
        properties: std::ptr::null(),
        implementation: std::ptr::null(),
        description: std::ptr::null(),
    };

    /// An algorithm under its names, separated by colons.
    pub(super) const fn new(
        names: &'static std::ffi::CStr,
        functions: &'static [Dispatch],
    ) -> Self {
        Self {
            names: names.as_ptr(),
            properties: c"provider=alb".as_ptr(),
            implementation: functions.as_ptr(),
            description: std::ptr::null(),
        }
    }
}

/// That an operation was refused. Tongsuo's callers learn no more than that; most say why on their own queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// The answer of an operation.
pub(super) type Outcome<T = ()> = Result<T, Failed>;

/// Runs an entry function's body: 1 for success, 0 for failure and for a panic, which must not cross into C.
pub(super) fn guard(body: impl FnOnce() -> Outcome) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => 1,
        Ok(Err(Failed)) | Err(_) => 0,
    }
}

/// Runs a body that gives a pointer: null for a failure and for a panic.
pub(super) fn guard_pointer(body: impl FnOnce() -> *mut c_void) -> *mut c_void {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(std::ptr::null_mut())
}

/// Gives a value to C, which returns it to [`drop_context`].
pub(super) fn into_context<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// Ends a value given by [`into_context`]; null is nothing.
///
/// # Safety
/// `context` is null or from `into_context::<T>`, and is not used again.
pub(super) unsafe fn drop_context<T>(context: *mut c_void) {
    if !context.is_null() {
        // SAFETY: promised by the caller.
        let value = unsafe { Box::from_raw(context.cast::<T>()) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
    }
}

/// The value behind a context.
///
/// # Safety
/// `context` is null or from `into_context::<T>`, alive, and used by nobody else for `'a`: Tongsuo's contexts belong
/// to one thread at a time.
pub(super) unsafe fn context<'a, T>(context: *mut c_void) -> Outcome<&'a mut T> {
    // SAFETY: promised by the caller.
    unsafe { context.cast::<T>().as_mut() }.ok_or(Failed)
}

/// Bytes C lends; null is nothing.
///
/// # Safety
/// `data` is null or points to `length` bytes that nobody writes for `'a`.
pub(super) unsafe fn bytes<'a>(data: *const u8, length: usize) -> Option<&'a [u8]> {
    if data.is_null() || length > isize::MAX as usize {
        return None;
    }
    // SAFETY: promised by the caller; the length was checked.
    Some(unsafe { std::slice::from_raw_parts(data, length) })
}

/// Whether a C string is this text, whatever the case of its letters.
///
/// # Safety
/// `text` is a C string.
pub(super) unsafe fn is_text(text: *const c_char, expected: &[u8]) -> bool {
    // SAFETY: promised by the caller.
    let text = unsafe { std::ffi::CStr::from_ptr(text) };
    text.to_bytes().eq_ignore_ascii_case(expected)
}

/// Writes to where C wants an answer; null is ignored.
///
/// # Safety
/// `place` is null or valid for a write.
pub(super) unsafe fn answer<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: promised by the caller.
        unsafe { place.write(value) };
    }
}

/// Input and output of an update, which may be the same memory.
pub(super) struct Io {
    input: *const u8,
    length: usize,
    output: *mut u8,
    room: usize,
}

impl Io {
    /// # Safety
    /// `input` is null or points to `length` bytes, `output` is null or has room for `room` bytes; nobody else uses
    /// them while the value lives. They may overlap.
    pub(super) unsafe fn new(
        input: *const u8,
        length: usize,
        output: *mut u8,
        room: usize,
    ) -> Outcome<Self> {
        if length > isize::MAX as usize {
            return Err(Failed);
        }
        Ok(Self {
            input,
            length,
            output,
            room: room.min(isize::MAX as usize),
        })
    }

    /// The bytes to work on, while none have been put out.
    pub(super) fn input(&self) -> Option<&[u8]> {
        // SAFETY: promised at `new`; output can only be had through `&mut self`.
        unsafe { bytes(self.input, self.length) }
    }

    /// Bytes of input.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether there is a place for output: without one, AEAD input is additional data.
    pub(super) fn has_output(&self) -> bool {
        !self.output.is_null()
    }

    /// Puts out `before` and then the input, `length` bytes together, and gives them to be worked on in place.
    pub(super) fn output(&mut self, before: &[u8], length: usize) -> Outcome<&mut [u8]> {
        let moved = length.checked_sub(before.len()).ok_or(Failed)?;
        let nothing_to_move = moved == 0;
        if self.output.is_null() || self.room < length || moved > self.length {
            return Err(Failed);
        }
        if self.input.is_null() && !nothing_to_move {
            return Err(Failed);
        }
        // SAFETY: the lengths were checked; `copy` is for memory that overlaps; `before` is none of Tongsuo's memory.
        unsafe {
            if !nothing_to_move && self.input != self.output.add(before.len()) {
                std::ptr::copy(self.input, self.output.add(before.len()), moved);
            }
            std::ptr::copy_nonoverlapping(before.as_ptr(), self.output, before.len());
            Ok(std::slice::from_raw_parts_mut(self.output, length))
        }
    }

    /// A TLS record, which is worked on where it lies: `length` bytes from the input's place on.
    pub(super) fn record(&mut self, length: usize) -> Outcome<&mut [u8]> {
        if self.input.is_null() || !std::ptr::eq(self.input, self.output) || self.room < length {
            return Err(Failed);
        }
        // SAFETY: the room was checked.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.output, length) })
    }
}
