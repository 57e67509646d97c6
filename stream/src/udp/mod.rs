//! UDP: flows of datagrams between clients and peers.
//!
//! A [`Server`] serves one socket of one worker. A flow is a client's address and port with one peer; it has a socket of its
//! own towards the peer, which tells replies apart and brings ICMP errors. All sockets of a server are watched by one
//! epoll of its own, and all flows by one timer: a flow at rest is its socket and a few hundred bytes.

mod batch;
mod begin;
mod flow;
mod idle;
mod policer;
mod progress;
mod run;
mod server;
mod socket;
mod table;

pub(crate) use progress::Rules;
pub use server::{Current, Server, Stop};
