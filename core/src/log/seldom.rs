//! Messages that hostile clients could cause without end.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Lets one message through in a while, and counts those it holds back.
#[derive(Debug)]
pub struct Seldom {
    every: Duration,
    last: Cell<Option<Instant>>,
    held_back: Cell<u64>,
}

impl Seldom {
    /// At most one message in this time.
    pub const fn every(every: Duration) -> Self {
        Self {
            every,
            last: Cell::new(None),
            held_back: Cell::new(0),
        }
    }

    /// Whether a message may be written now: then how many were held back since the last one.
    pub fn due(&self, now: Instant) -> Option<u64> {
        let recent = |last: Instant| now.duration_since(last) < self.every;
        if self.last.get().is_some_and(recent) {
            self.held_back.set(self.held_back.get() + 1);
            return None;
        }
        self.last.set(Some(now));
        Some(self.held_back.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_in_a_while_tells_how_many_were_not_written() {
        let seldom = Seldom::every(Duration::from_secs(10));
        let start = Instant::now();
        let after = |seconds| seldom.due(start + Duration::from_secs(seconds));
        assert_eq!(
            [0, 1, 9, 10, 11, 25].map(after),
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
