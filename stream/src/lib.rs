//! Streams: TCP connections carried to an upstream without understanding what is in them.
//!
//! [`tcp::serve`] is the way in. Owns what a session is, where it goes, and its line in the access log. It must not accept,
//! shake hands with clients, choose peers or move bytes: `core` does.

mod admission;
mod connect;
mod preread;
mod record;
mod service;
pub mod tcp;
mod worker;

pub use service::Service;
pub use worker::Worker;
