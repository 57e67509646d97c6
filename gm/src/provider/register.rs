//! Registering the provider with Tongsuo, once per process and for its whole life.

use std::ffi::{CStr, c_char, c_int, c_void};

use openssl_sys::{OSSL_LIB_CTX, OSSL_PROVIDER_load};

use super::ffi::{Algorithm, Dispatch};
use super::{cipher, digest, sm2};

/// Operations (`OSSL_OP_*`) and functions of a provider (core_dispatch.h).
const OPERATION_DIGEST: c_int = 1;
const OPERATION_CIPHER: c_int = 2;
const OPERATION_KEY_MANAGEMENT: c_int = 10;
const OPERATION_KEY_EXCHANGE: c_int = 11;
const OPERATION_SIGNATURE: c_int = 12;
const OPERATION_ASYMMETRIC_CIPHER: c_int = 13;
const QUERY_OPERATION: c_int = 1027;

const NAME: &CStr = c"alb";

type Init = unsafe extern "C" fn(
    *const c_void,
    *const Dispatch,
    *mut *const Dispatch,
    *mut *mut c_void,
) -> c_int;

unsafe extern "C" {
    fn OSSL_PROVIDER_add_builtin(
        library: *mut OSSL_LIB_CTX,
        name: *const c_char,
        init: Init,
    ) -> c_int;
    fn EVP_set_default_properties(library: *mut OSSL_LIB_CTX, properties: *const c_char) -> c_int;
}

/// Makes Tongsuo prefer this provider wherever it has an algorithm. Before any `SSL_CTX` exists: they fetch their
/// algorithms when they are made. Says whether it is in place; if not, Tongsuo's own code serves.
pub(crate) fn install() -> bool {
    let library = std::ptr::null_mut();
    // SAFETY: the names are constants; the providers are never unloaded, so what was fetched from them stays valid.
    unsafe {
        OSSL_PROVIDER_add_builtin(library, NAME.as_ptr(), init) == 1
            // Explicitly: loading any provider ends the implicit one.
            && !OSSL_PROVIDER_load(library, c"default".as_ptr()).is_null()
            && !OSSL_PROVIDER_load(library, NAME.as_ptr()).is_null()
            && EVP_set_default_properties(library, c"?provider=alb".as_ptr()) == 1
    }
}

static FUNCTIONS: [Dispatch; 2] = [
    Dispatch::new(QUERY_OPERATION, query as *const c_void),
    Dispatch::END,
];

static DIGESTS: [Algorithm; 2] = [
    Algorithm::new(c"SM3:1.2.156.10197.1.401", digest::FUNCTIONS),
    Algorithm::END,
];

/// `OSSL_provider_init_fn`.
unsafe extern "C" fn init(
    handle: *const c_void,
    _from_core: *const Dispatch,
    functions: *mut *const Dispatch,
    context: *mut *mut c_void,
) -> c_int {
    // SAFETY: the core gives places for both answers. The context is only required not to be null.
    unsafe {
        functions.write(FUNCTIONS.as_ptr());
        context.write(handle.cast_mut());
    }
    1
}

/// Whether our SM3 is the one to use: on other processors Tongsuo has assembly for instructions that ours does not know.
pub(crate) fn has_digest() -> bool {
    cfg!(target_arch = "x86_64")
}

/// `OSSL_FUNC_provider_query_operation_fn`.
unsafe extern "C" fn query(
    _context: *mut c_void,
    operation: c_int,
    no_cache: *mut c_int,
) -> *const Algorithm {
    // SAFETY: the core gives a place for the answer.
    unsafe { no_cache.write(0) };
    match operation {
        OPERATION_DIGEST if has_digest() => DIGESTS.as_ptr(),
        OPERATION_CIPHER => cipher::algorithms().as_ptr(),
        OPERATION_KEY_MANAGEMENT => sm2::KEY_MANAGEMENT.as_ptr(),
        OPERATION_KEY_EXCHANGE => sm2::KEY_EXCHANGES.as_ptr(),
        OPERATION_SIGNATURE => sm2::SIGNATURES.as_ptr(),
        OPERATION_ASYMMETRIC_CIPHER => sm2::ASYMMETRIC_CIPHERS.as_ptr(),
        _ => std::ptr::null(),
    }
}
