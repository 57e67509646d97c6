//! Clients to put in front of `alb`.

pub mod http;
pub mod raw;

pub use self::http::{Answer, Client, Speak};
