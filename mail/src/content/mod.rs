//! What messages may hold: a message is kept while it comes, its structure is found without understanding it, its parts
//! are judged, and it is passed on, refused or held back. Never a queue: a client is told `250` only after a server was.

mod alert;
mod budget;
mod crypto;
mod encoding;
mod gathering;
mod judge;
mod kind;
mod line_ends;
mod name;
mod policy;
mod prescan;
mod received;
mod spool;
mod store;
mod structure;
mod stuffing;

pub use alert::Event;
pub use gathering::{Gathered, Gathering};
pub use judge::{Finding, Verdict, judge};
pub use policy::{Policy, Rules};
pub use prescan::{Outline, Part, Prescan, Violation};
pub use received::{Trace, header, held_header};
pub use spool::Spool;
pub use store::Store;
pub use stuffing::{Stuffer, Unstuffer};
