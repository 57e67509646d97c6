//! Active checks of peers: one prober per daemon asks each peer in turn, and keeps the verdict where all workers see it.
//!
//! What is said to a peer is a [`Script`] over the connector of the upstream, plain bytes and bounded answers; a protocol
//! that takes more than that (gRPC) is handed in by the crate that speaks it. Nothing here chooses peers.

mod check;
mod probe;
mod prober;
mod script;

pub use check::{Asked, Check, Conversation, Foreign, Found, Talk, named_host, statuses};
pub use prober::run;
pub use script::{Answer, Judgement, Script};
