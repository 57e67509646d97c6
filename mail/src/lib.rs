//! Mail: logs clients of SMTP, IMAP and POP3 in at the servers of an upstream, and relays between them.
//!
//! [`serve`] is the way in. Owns what the three protocols say before and while a client logs in, and the framing of SMTP
//! after it. It opens no listening sockets, reads no configuration file and chooses no certificates; the core does.

mod audit;
pub mod auth;
mod backend;
mod capabilities;
mod client;
mod client_name;
pub mod content;
mod dialogue;
mod guesses;
pub mod health;
pub mod imap;
mod learned;
mod limits;
pub mod line;
mod login;
pub mod pop3;
mod promised;
mod proving;
mod refused;
mod rehome;
mod relay;
pub mod sasl;
pub mod secret;
mod service;
mod session;
pub mod smtp;
mod timer;
mod wire;
mod worker;

pub use backend::{Heard, hear};
pub use client_name::ClientName;
pub use learned::Learned;
pub use limits::Limits;
pub use refused::{Refused, refuse};
pub use service::{Parts, Service};
pub use session::serve;
pub use worker::Worker;
