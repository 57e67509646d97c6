//! SMTP: the commands before login, the framing of what comes after it, and the replies. A server behind the gateway
//! trusts it, so no byte of a client reaches the server without having been understood first.

mod choose;
mod command;
mod dots;
mod framer;
mod mx;
mod parameters;
mod receive;
mod relay;
mod replies;
pub mod reply;
mod session;
mod transaction;
mod words;
pub mod xtext;

pub use command::{Command, parse};
pub use framer::{Framer, Unit, Violation};
pub use replies::passed_on;
pub use session::{Rest, log_in};
