//! SM3 (GB/T 32905-2016) and what is built from it alone: HMAC, the X9.63 key derivation of SM2, PBKDF2.
//!
//! Owns the hash state and nothing else: no I/O, no keys that outlive a call, no Tongsuo.

mod compress;
mod hash;
mod hmac;
mod kdf;

pub use hash::Sm3;
pub use hmac::HmacSm3;
pub(crate) use kdf::x963_blocks;
pub use kdf::{pbkdf2, x963_kdf};

/// Length of a digest in bytes.
pub const DIGEST_LEN: usize = 32;

/// Length of the block the compression function takes, in bytes.
pub const BLOCK_LEN: usize = 64;

/// Names the code that hashes on this machine, for `alb --version --verbose`.
pub fn implementation() -> &'static str {
    compress::implementation()
}
