//! Limits: how often, how much at once and how fast something may happen, told apart by a key.
//!
//! [`Limits`] holds the `[limit.NAME]`s of a configuration and adopts their counts at a reload; a listener, a site or
//! a route has a [`LimitSet`]; [`LimitSet::admit`] decides. Counts are shared by all workers and exact whatever their
//! number; time is passed in. Nothing here waits, logs each refusal, or knows what is counted.

mod bandwidth;
mod clock;
mod connections;
mod key;
mod limiter;
pub mod lockout;
mod notice;
mod period;
mod permit;
mod rate;
mod registry;
mod set;
mod table;

#[cfg(test)]
mod properties;

pub use bandwidth::Throttle;
pub use key::{KeySource, Keys};
pub use limiter::Limiter;
pub use permit::Permit;
pub use registry::{Builder, Limits};
pub use set::{Decision, LimitSet, Refusal};
