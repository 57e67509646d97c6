//! Log files: rotated by size, reopened on demand, their lines never torn.
//!
//! The error log is written at once by whoever has something to say; the access log goes through a buffer per worker
//! and one thread, so that a slow disk never holds up a request.

pub mod access;
pub mod escape;
mod file;
mod seldom;
pub mod time;

pub use access::{AccessBuffer, AccessSink, AccessWriter};
pub use file::{LogFile, Rotation};
pub use seldom::Seldom;
