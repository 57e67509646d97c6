//! Wakes the cryptographic library, once per process.

use std::sync::Once;

/// Whether the accelerated SM2, SM3 and SM4 are plugged into Tongsuo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acceleration {
    /// As far as this processor has the instructions.
    #[default]
    Auto,
    /// Tongsuo's own code only.
    Off,
}

static ONCE: Once = Once::new();

/// Prepares the library. Call it before anything else of this crate; a second call changes nothing.
pub fn init(_acceleration: Acceleration) {
    ONCE.call_once(openssl_sys::init);
}

/// For those who come without having called [`init`].
pub(crate) fn ready() {
    init(Acceleration::Auto);
}

/// The name and version of the cryptographic library.
pub fn library_version() -> &'static str {
    openssl::version::version()
}
