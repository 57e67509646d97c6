//! Streams: TCP connections and UDP datagrams carried to an upstream without understanding what is in them.
//!
//! [`tcp::serve`] and [`udp::Server`] are the ways in. Owns what a session is, where it goes, and its line in the access log. It must not accept,
//! shake hands with clients, choose peers or move bytes: `core` does.

mod admission;
mod connect;
mod preread;
mod record;
mod service;
pub mod tcp;
pub mod udp;
mod worker;

pub use service::Service;
pub use worker::Worker;
