//! The pace of one direction of a flow: what comes too soon is lost, for datagrams cannot be held back.

use std::time::Instant;

use alb_core::limit::Throttle;

/// Lets datagrams pass or not.
#[derive(Default)]
pub(super) struct Policer {
    throttle: Option<Throttle>,
    closed_until: Option<Instant>,
}

impl Policer {
    pub fn new(throttle: Option<Throttle>) -> Self {
        Policer {
            throttle,
            closed_until: None,
        }
    }

    /// Whether anything may be held back at all.
    pub fn is_strict(&self) -> bool {
        self.throttle.is_some()
    }

    /// Whether so many bytes pass now; what does not pass is not counted.
    pub fn passes(&mut self, bytes: usize, now: Instant) -> bool {
        let Some(throttle) = &mut self.throttle else {
            return true;
        };
        if self.closed_until.is_some_and(|until| now < until) {
            return false;
        }
        let wait = throttle.take(bytes, now);
        self.closed_until = (!wait.is_zero()).then(|| now + wait);
        true
    }
}
