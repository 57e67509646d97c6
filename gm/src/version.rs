//! The name and version of the cryptographic library.

#![expect(
    unsafe_code,
    reason = "the wrapper does not know Tongsuo's own version string"
)]

use std::ffi::{CStr, c_int};
use std::sync::OnceLock;

/// `TONGSUO_VERSION` of openssl/crypto.h.
const TONGSUO_VERSION: c_int = 11;

/// What serves where our own code does not: Tongsuo's version, and that of the OpenSSL it is made from.
pub fn library_version() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        // SAFETY: the answer is a constant string of the library for any number.
        let tongsuo = unsafe { CStr::from_ptr(openssl_sys::OpenSSL_version(TONGSUO_VERSION)) };
        let openssl = openssl::version::version();
        format!("{} ({openssl})", tongsuo.to_string_lossy())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_named() {
        let text = library_version();
        assert!(text.starts_with("Tongsuo 8."), "{text}");
        assert!(text.contains("(OpenSSL 3."), "{text}");
    }
}
