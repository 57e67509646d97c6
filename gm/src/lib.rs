//! Tongsuo: TLCP and TLS, and the accelerated GM primitives.

pub mod differential;
pub mod digest;
pub mod ghash;
mod implementations;
mod init;
mod provider;
pub mod selftest;
pub mod sm2;
pub mod sm3;
pub mod sm4;
pub mod tls;
mod version;

pub use implementations::{Implementation, implementations};
use init::ready;
pub use init::{Acceleration, accelerated, init};
pub use version::library_version;
