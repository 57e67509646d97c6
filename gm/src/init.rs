//! Wakes the cryptographic library, once per process.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::provider;

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
static ACCELERATED: AtomicBool = AtomicBool::new(false);

/// Prepares the library. Call it before anything else of this crate; a second call changes nothing.
pub fn init(acceleration: Acceleration) {
    ONCE.call_once(|| {
        openssl_sys::init();
        if acceleration == Acceleration::Auto {
            let installed = provider::install();
            ACCELERATED.store(installed, Ordering::Relaxed);
        }
    });
}

/// Whether Tongsuo uses this crate's own code, as far as [`init`] could tell; `false` before it.
pub fn accelerated() -> bool {
    ACCELERATED.load(Ordering::Relaxed)
}

/// For those who come without having called [`init`].
pub(crate) fn ready() {
    init(Acceleration::Auto);
}
