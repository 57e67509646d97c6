//! Key management: how a key of this provider is made, asked, compared, and carried from and to other providers.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;

use openssl_sys::OSSL_PARAM;

use super::generate;
use super::key::{Key, KeyData, SELECT_PAIR, SELECT_PRIVATE, SELECT_PUBLIC, from_params};
use crate::provider::ffi::{
    Dispatch, Failed, Outcome, context, drop_context, guard, guard_pointer, into_context,
};
use crate::provider::params::{DESCRIBE_END, Description, Export, Kind, Param, describe, each};
use crate::sm2::{PrivateKey, PublicKey};

/// The numbers are `OSSL_FUNC_KEYMGMT_*` (core_dispatch.h).
pub(super) const FUNCTIONS: &[Dispatch] = &[
    Dispatch::new(1, new as *const c_void),
    Dispatch::new(2, generate::init as *const c_void),
    Dispatch::new(3, generate::set_template as *const c_void),
    Dispatch::new(4, generate::set_params as *const c_void),
    Dispatch::new(5, generate::settable_params as *const c_void),
    Dispatch::new(6, generate::run as *const c_void),
    Dispatch::new(7, generate::cleanup as *const c_void),
    Dispatch::new(10, free as *const c_void),
    Dispatch::new(11, get_params as *const c_void),
    Dispatch::new(12, gettable_params as *const c_void),
    Dispatch::new(13, set_params as *const c_void),
    Dispatch::new(14, settable_params as *const c_void),
    Dispatch::new(20, operation_name as *const c_void),
    Dispatch::new(21, has as *const c_void),
    Dispatch::new(22, validate as *const c_void),
    Dispatch::new(23, matches as *const c_void),
    Dispatch::new(40, import as *const c_void),
    Dispatch::new(41, transfer_types as *const c_void),
    Dispatch::new(42, export as *const c_void),
    Dispatch::new(43, transfer_types as *const c_void),
    Dispatch::new(44, duplicate as *const c_void),
    Dispatch::END,
];

static GETTABLE: [Description; 11] = [
    describe(c"bits", Kind::Integer),
    describe(c"security-bits", Kind::Integer),
    describe(c"max-size", Kind::Integer),
    describe(c"default-digest", Kind::Text),
    describe(c"group", Kind::Text),
    describe(c"encoded-pub-key", Kind::Octets),
    describe(c"pub", Kind::Octets),
    describe(c"qx", Kind::Unsigned),
    describe(c"qy", Kind::Unsigned),
    describe(c"priv", Kind::Unsigned),
    DESCRIBE_END,
];

static SETTABLE: [Description; 2] = [describe(c"encoded-pub-key", Kind::Octets), DESCRIBE_END];

static TRANSFERRED: [Description; 4] = [
    describe(c"group", Kind::Text),
    describe(c"pub", Kind::Octets),
    describe(c"priv", Kind::Unsigned),
    DESCRIBE_END,
];

unsafe extern "C" fn new(_provider: *mut c_void) -> *mut c_void {
    guard_pointer(|| into_context(KeyData(Arc::new(Key::Parameters))))
}

unsafe extern "C" fn free(key: *mut c_void) {
    // SAFETY: the key came from this provider.
    unsafe { drop_context::<KeyData>(key) }
}

unsafe extern "C" fn duplicate(key: *const c_void, selection: c_int) -> *mut c_void {
    guard_pointer(|| {
        // SAFETY: the key came from this provider.
        let key = unsafe { KeyData::behind(key) };
        key.map_or(std::ptr::null_mut(), |key| {
            into_context(KeyData(Arc::new(key.0.restrict(selection))))
        })
    })
}

unsafe extern "C" fn get_params(key: *const c_void, params: *mut OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider; the array ends.
        let (key, params) = unsafe { (KeyData::behind(key)?, each(params)) };
        params
            .into_iter()
            .try_for_each(|param| answer(&key.0, param))
    })
}

/// Answers one parameter; what the key has not is left unanswered.
fn answer(key: &Key, mut param: Param<'_>) -> Outcome {
    let point = key.public().map(PublicKey::to_uncompressed);
    match (param.key(), point, key.private()) {
        (b"bits", ..) => param.answer_int(256),
        (b"security-bits", ..) => param.answer_int(128),
        // A DER signature.
        (b"max-size", ..) => param.answer_int(72),
        (b"default-digest", ..) => param.answer_text(c"SM3"),
        (b"group", ..) => param.answer_text(c"SM2"),
        (b"encoded-pub-key" | b"pub", Ok(point), _) => param.answer_octets(&point),
        (b"qx", Ok(point), _) => param.answer_big_number(&point[1..33]),
        (b"qy", Ok(point), _) => param.answer_big_number(&point[33..]),
        (b"priv", _, Ok(private)) => param.answer_big_number(private.to_bytes().as_ref()),
        _ => Ok(()),
    }
}

unsafe extern "C" fn gettable_params(_provider: *mut c_void) -> *const Description {
    GETTABLE.as_ptr()
}

/// A peer's point in the encoding of TLS: makes a public key of a template.
unsafe extern "C" fn set_params(key: *mut c_void, params: *const OSSL_PARAM) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider and is set up by one thread; the array ends.
        let (key, params) = unsafe { (context::<KeyData>(key)?, each(params)) };
        for param in params {
            if param.key() == b"encoded-pub-key" {
                let point = param.octets()?.ok_or(Failed)?;
                let public = PublicKey::from_bytes(point).map_err(|_| Failed)?;
                key.0 = Arc::new(Key::of_public(public));
            }
        }
        Ok(())
    })
}

unsafe extern "C" fn settable_params(_provider: *mut c_void) -> *const Description {
    SETTABLE.as_ptr()
}

/// `OSSL_FUNC_keymgmt_query_operation_name_fn`: the key exchange has a name of its own.
unsafe extern "C" fn operation_name(operation: c_int) -> *const c_char {
    const KEY_EXCHANGE: c_int = 11;
    match operation {
        KEY_EXCHANGE => c"SM2DH".as_ptr(),
        _ => c"SM2".as_ptr(),
    }
}

unsafe extern "C" fn has(key: *const c_void, selection: c_int) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider.
        let key = unsafe { KeyData::behind(key) }?;
        present(&key.0, selection)
    })
}

fn present(key: &Key, selection: c_int) -> Outcome {
    if selection & SELECT_PUBLIC != 0 {
        key.public()?;
    }
    if selection & SELECT_PRIVATE != 0 {
        key.private()?;
    }
    Ok(())
}

/// Points are on the curve and scalars in range since they were read; left is that both belong together.
unsafe extern "C" fn validate(key: *const c_void, selection: c_int, _thorough: c_int) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider.
        let key = unsafe { KeyData::behind(key) }?;
        present(&key.0, selection)?;
        if selection & SELECT_PAIR == SELECT_PAIR {
            let private = key.0.private()?;
            let again = PrivateKey::from_bytes(&private.to_bytes()).map_err(|_| Failed)?;
            return if again.public() == private.public() {
                Ok(())
            } else {
                Err(Failed)
            };
        }
        Ok(())
    })
}

/// A private key always comes with its public one, so that one decides.
unsafe extern "C" fn matches(a: *const c_void, b: *const c_void, selection: c_int) -> c_int {
    guard(|| {
        // SAFETY: both keys came from this provider.
        let (a, b) = unsafe { (KeyData::behind(a)?, KeyData::behind(b)?) };
        if selection & SELECT_PAIR != 0 && a.0.public()? != b.0.public()? {
            return Err(Failed);
        }
        Ok(())
    })
}

unsafe extern "C" fn import(
    key: *mut c_void,
    selection: c_int,
    params: *const OSSL_PARAM,
) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider and is set up by one thread; the array ends.
        let (key, params) = unsafe { (context::<KeyData>(key)?, each(params)) };
        key.0 = Arc::new(from_params(params, selection)?);
        Ok(())
    })
}

unsafe extern "C" fn transfer_types(_selection: c_int) -> *const Description {
    TRANSFERRED.as_ptr()
}

type ExportCallback = unsafe extern "C" fn(*const OSSL_PARAM, *mut c_void) -> c_int;

unsafe extern "C" fn export(
    key: *const c_void,
    selection: c_int,
    callback: ExportCallback,
    argument: *mut c_void,
) -> c_int {
    guard(|| {
        // SAFETY: the key came from this provider.
        let key = unsafe { KeyData::behind(key) }?;
        let mut parts = Export::default();
        parts.text(c"group", c"SM2");
        if selection & SELECT_PAIR != 0
            && let Ok(public) = key.0.public()
        {
            parts.octets(c"pub", &public.to_uncompressed());
        }
        if selection & SELECT_PRIVATE != 0
            && let Ok(private) = key.0.private()
        {
            parts.big_number(c"priv", private.to_bytes().as_ref());
        }
        parts.with(|params| {
            // SAFETY: the core's callback takes an array that ends, and copies what it keeps.
            if unsafe { callback(params, argument) } == 1 {
                Ok(())
            } else {
                Err(Failed)
            }
        })
    })
}

impl KeyData {
    /// The key behind a pointer Tongsuo hands around between threads.
    ///
    /// # Safety
    /// The pointer is null or to a live key of this provider that nobody changes for `'a`.
    pub(super) unsafe fn behind<'a>(pointer: *const c_void) -> Outcome<&'a Self> {
        // SAFETY: promised by the caller.
        unsafe { pointer.cast::<Self>().as_ref() }.ok_or(Failed)
    }
}
