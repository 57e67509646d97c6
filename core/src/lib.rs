//! What every protocol of the gateway shares: listeners, streams, upstreams, statistics and logs.
//!
//! Nothing here knows HTTP, mail or any other protocol; those crates build on this one.

pub mod access;
pub mod conn_info;
mod crc;
pub mod drain;
pub mod endpoint;
pub mod error;
pub mod handshake;
pub mod health;
pub mod hosts;
pub mod limit;
pub mod listener;
pub mod log;
pub mod proxy_protocol;
pub mod published;
pub mod relay;
pub mod stats;
pub mod stream;
pub mod upstream;

pub use alb_gm::tls;
pub use alb_gm::tls::{Certificate, Peer, Protocol, TlsInfo, client_hello};
pub use alb_gm::{digest, sm3};
pub use conn_info::ConnInfo;
pub use error::{Error, Kind, Side};
pub use stream::{Socket, Stream};
