//! Tongsuo: TLCP and TLS, and the accelerated GM primitives.

mod init;
pub mod sm2;
pub mod sm3;
pub mod tls;

use init::ready;
pub use init::{Acceleration, init};
