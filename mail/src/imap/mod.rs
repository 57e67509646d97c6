//! IMAP (RFC 3501) up to the login: the commands a client may send before it, and the session that answers them.

mod arguments;
mod assembler;
mod command;
mod session;

pub use assembler::{Assembler, Fault, Piece, Progress};
pub use command::{Command, parse};
pub use session::{PASSED_ON, log_in};
