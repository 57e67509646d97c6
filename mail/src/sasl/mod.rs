//! SASL as servers speak it (RFC 4422): from the lines of a client to the credentials in them.
//!
//! Owns the mechanisms and their rules. It does no I/O, knows none of the three protocols' framing (a line comes in
//! without CRLF, a challenge goes out without `334 ` or `+ `), and decides about nobody: that is `auth`'s.

mod bearer;
mod challenge;
mod credentials;
mod exchange;
mod gs2;
mod mechanism;
pub mod ntlm;
mod plain;
mod text;

pub use challenge::{Challenge, apop_matches, cram_md5_matches};
pub use credentials::{Credentials, Proof};
pub use exchange::{Exchange, Rules, Step};
pub use mechanism::{Mechanism, Mechanisms};
pub use text::{Failure, MAX_LINE, MAX_USER, check_line};
