//! POP3 (RFC 1939) up to the login: the commands a client may send before it, and the session that answers them.

mod command;
mod session;

pub use command::{Command, parse};
pub use session::{PASSED_ON, log_in};
