//! A certificate authority kept in one directory.
//!
//! ```text
//! ca.pem       its certificate, followed by the intermediates above it
//! ca.key       its key, mode 0600
//! issued/      one file per issue, named by its first serial number: a certificate, or both of a pair
//! revoked/     one file per revoked certificate, named by its serial number: when, and why
//! crl.pem      the last revocation list
//! lock         held by whoever writes
//! ```
//!
//! There is no index that could disagree with the rest: the state is which files exist, and every
//! change is one file appearing whole. A process may be killed at any point.

mod directory;
mod register;

pub use directory::Directory;
pub use register::{Entry, Register, Status};
