//! HTTP/1.0 and HTTP/1.1 on the wire, towards clients and towards peers.
//!
//! Owns framing: nothing that could be read in two ways gets past [`head`] and [`decoder`]. They are pure, as
//! is [`encode`]; [`transport`] and [`writer`] move the bytes; [`server`] and [`client`] are the two ends.
//! It must not know sites, routes or upstreams.

pub mod client;
pub mod decoder;
pub mod encode;
pub mod head;
mod malformed;
mod request_body;
mod respond;
pub mod server;
pub mod transport;
pub mod writer;

pub use malformed::Malformed;
pub use request_body::RequestBody;
