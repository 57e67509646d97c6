//! UDP: flows of datagrams between clients and peers.
//!
//! [`begin`] serves one socket of one worker. A flow is a client's address and port with one peer; it has a socket of its
//! own towards the peer, which tells replies apart and brings ICMP errors.

mod flow;
mod policer;
mod progress;
mod server;
mod socket;

pub(crate) use progress::Rules;
pub use server::{Current, begin};
