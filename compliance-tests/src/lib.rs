//! The test harness: runs the built `alb` from an inline TOML between real origins and real clients.
//!
//! It owns no assertions about behaviour: those are in `tests/`. It never sleeps to synchronise: a program is ready when
//! it says so, and everything that waits has a deadline. See `docs/testing.md`.

pub mod address;
pub mod alb;
pub mod client;
pub mod conversation;
pub mod haproxy;
pub mod load;
pub mod mail;
pub mod mechanisms;
pub mod origin;
pub mod pattern;
pub mod payload;
pub mod pki;
pub mod process;
pub mod session_log;
pub mod sockets;
pub mod stopwatch;
pub mod suites;
pub mod tools;

pub use alb::Alb;
pub use client::{Answer, Client, Offer, Speak};
pub use pki::Pki;
pub use session_log::SessionLog;
