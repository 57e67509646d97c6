//! SM4 (GB/T 32907) and its modes of operation, on bytes in memory: no I/O, no Tongsuo.
//!
//! [`Key`] chooses the fastest [`Backend`] of the processor; every backend is constant-time, the key schedule
//! included. The modes work in place: ECB is [`Key::encrypt_blocks`], then [`cbc`], [`ctr`], [`gcm`], [`ccm`], and [`record`]
//! for the padding of TLCP's CBC records.

mod backend;
pub mod cbc;
pub mod ccm;
pub mod constant_time;
pub mod ctr;
pub mod gcm;
mod key;
mod portable;
pub mod record;
mod schedule;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use backend::Backend;
pub use key::{BLOCK, Block, Key};

/// Why a message was not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The tag does not belong to the message: it, the key, the IV or the additional data is another.
    #[error("the authentication tag does not match the message")]
    Refused,
    /// The message is longer than the mode allows with this IV.
    #[error("the message is longer than the mode allows")]
    TooLong,
    /// A length the mode is not defined for.
    #[error("{what} of {seen} bytes, expected {expected}")]
    Length {
        /// What has the length.
        what: &'static str,
        /// The length seen, in bytes.
        seen: usize,
        /// The lengths the mode knows.
        expected: &'static str,
    },
}
