//! Tongsuo: TLCP and TLS, and the accelerated GM primitives.

pub mod ghash;
mod init;
pub mod sm2;
pub mod sm3;
pub mod sm4;
pub mod tls;

use init::ready;
pub use init::{Acceleration, init, library_version};
