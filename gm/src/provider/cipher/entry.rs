//! The functions Tongsuo calls for a cipher (`OSSL_FUNC_CIPHER_*`), for every [`Mode`].

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;

use openssl_sys::OSSL_PARAM;

use super::super::ffi::{
    Dispatch, Failed, Io, Outcome, answer, bytes, context, guard, guard_pointer, into_context,
};
use super::super::lifecycle;
use super::super::params::{DESCRIBE_END, Description, Kind, describe, each};
use super::{Direction, KEY, Mode};

/// The dispatch table of a mode.
pub(super) struct Table<M>(PhantomData<M>);

impl<M: Mode> Table<M> {
    /// The functions; the numbers are `OSSL_FUNC_CIPHER_*` (core_dispatch.h).
    pub(super) const FUNCTIONS: &'static [Dispatch] = &[
        Dispatch::new(1, new::<M> as *const c_void),
        Dispatch::new(2, encrypt_init::<M> as *const c_void),
        Dispatch::new(3, decrypt_init::<M> as *const c_void),
        Dispatch::new(4, update::<M> as *const c_void),
        Dispatch::new(5, finish::<M> as *const c_void),
        Dispatch::new(6, at_once::<M> as *const c_void),
        Dispatch::new(7, lifecycle::free::<M> as *const c_void),
        Dispatch::new(8, lifecycle::duplicate::<M> as *const c_void),
        Dispatch::new(9, get_params::<M> as *const c_void),
        Dispatch::new(10, lifecycle::get_params::<M> as *const c_void),
        Dispatch::new(11, lifecycle::set_params::<M> as *const c_void),
        Dispatch::new(12, gettable_params as *const c_void),
        Dispatch::new(13, lifecycle::gettable_params::<M> as *const c_void),
        Dispatch::new(14, lifecycle::settable_params::<M> as *const c_void),
        Dispatch::END,
    ];
}

static GETTABLE: [Description; 10] = [
    describe(c"mode", Kind::Unsigned),
    describe(c"keylen", Kind::Unsigned),
    describe(c"ivlen", Kind::Unsigned),
    describe(c"blocksize", Kind::Unsigned),
    describe(c"aead", Kind::Integer),
    describe(c"custom-iv", Kind::Integer),
    describe(c"cts", Kind::Integer),
    describe(c"tls-multi", Kind::Integer),
    describe(c"has-randkey", Kind::Integer),
    DESCRIBE_END,
];

unsafe extern "C" fn new<M: Mode>(_provider: *mut c_void) -> *mut c_void {
    guard_pointer(|| into_context(M::new()))
}

unsafe extern "C" fn encrypt_init<M: Mode>(
    state: *mut c_void,
    key: *const u8,
    key_length: usize,
    iv: *const u8,
    iv_length: usize,
    params: *const OSSL_PARAM,
) -> c_int {
    // SAFETY: the arguments are passed on as the core gave them.
    guard(|| unsafe {
        init::<M>(
            state,
            Direction::Encrypt,
            bytes(key, key_length),
            bytes(iv, iv_length),
            params,
        )
    })
}

unsafe extern "C" fn decrypt_init<M: Mode>(
    state: *mut c_void,
    key: *const u8,
    key_length: usize,
    iv: *const u8,
    iv_length: usize,
    params: *const OSSL_PARAM,
) -> c_int {
    // SAFETY: the arguments are passed on as the core gave them.
    guard(|| unsafe {
        init::<M>(
            state,
            Direction::Decrypt,
            bytes(key, key_length),
            bytes(iv, iv_length),
            params,
        )
    })
}

/// # Safety
/// `state` is a context of `M`, `params` an array that ends.
unsafe fn init<M: Mode>(
    state: *mut c_void,
    direction: Direction,
    key: Option<&[u8]>,
    iv: Option<&[u8]>,
    params: *const OSSL_PARAM,
) -> Outcome {
    // SAFETY: promised by the caller.
    let mode = unsafe { context::<M>(state) }?;
    let key: Option<&[u8; KEY]> = match key {
        Some(key) => Some(key.try_into().map_err(|_| Failed)?),
        None => None,
    };
    mode.start(direction, key, iv)?;
    // SAFETY: promised by the caller.
    unsafe { lifecycle::apply(mode, params) }
}

unsafe extern "C" fn update<M: Mode>(
    state: *mut c_void,
    out: *mut u8,
    out_length: *mut usize,
    room: usize,
    input: *const u8,
    length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the core gives a context of `M`, `length` bytes of input, `room` bytes of output.
        let (mode, io) = unsafe { (context::<M>(state)?, Io::new(input, length, out, room)?) };
        let written = mode.update(io)?;
        // SAFETY: the core gives a place for the length.
        unsafe { answer(out_length, written) };
        Ok(())
    })
}

unsafe extern "C" fn finish<M: Mode>(
    state: *mut c_void,
    out: *mut u8,
    out_length: *mut usize,
    room: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the core gives a context of `M` and `room` bytes of output.
        let (mode, io) = unsafe {
            (
                context::<M>(state)?,
                Io::new(std::ptr::null(), 0, out, room)?,
            )
        };
        let written = mode.finish(io)?;
        // SAFETY: the core gives a place for the length.
        unsafe { answer(out_length, written) };
        Ok(())
    })
}

unsafe extern "C" fn at_once<M: Mode>(
    state: *mut c_void,
    out: *mut u8,
    out_length: *mut usize,
    room: usize,
    input: *const u8,
    length: usize,
) -> c_int {
    guard(|| {
        // SAFETY: the core gives a context of `M`, `length` bytes of input, `room` bytes of output.
        let (mode, io) = unsafe { (context::<M>(state)?, Io::new(input, length, out, room)?) };
        let ends = M::SHAPE.aead && input.is_null();
        let written = if ends {
            mode.finish(io)?
        } else {
            mode.at_once(io)?
        };
        // SAFETY: the core gives a place for the length.
        unsafe { answer(out_length, written) };
        Ok(())
    })
}

unsafe extern "C" fn get_params<M: Mode>(params: *mut OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the core gives an array that ends.
        for mut param in unsafe { each(params) } {
            match param.key() {
                b"mode" => param.answer_number(M::SHAPE.mode)?,
                b"keylen" => param.answer_size(KEY)?,
                b"ivlen" => param.answer_size(M::SHAPE.iv)?,
                b"blocksize" => param.answer_size(M::SHAPE.block)?,
                b"aead" | b"custom-iv" => param.answer_flag(M::SHAPE.aead)?,
                b"cts" | b"tls-multi" | b"has-randkey" => param.answer_flag(false)?,
                _ => {}
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn gettable_params(_provider: *mut c_void) -> *const Description {
    GETTABLE.as_ptr()
}
