//! Mail: logs clients of SMTP, IMAP and POP3 in at the servers of an upstream, and relays between them.
//!
//! Owns what the three protocols say before and while a client logs in, and the framing of SMTP after it. It opens no
//! listening sockets, reads no configuration file and chooses no certificates; the core does.

pub mod auth;
pub mod line;
pub mod sasl;
pub mod secret;
