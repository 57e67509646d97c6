//! What the active checks of a peer say: `fall` failures in a row take it out, `rise` good answers in a row bring it back.
//! Written by the prober alone, read by all workers, kept across reloads.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The state of a peer's active checks. A new peer counts as good.
#[derive(Debug, Default)]
pub struct Verdict {
    down: AtomicBool,
    /// Results in a row that speak against the verdict.
    against: AtomicU32,
}

/// A verdict that has just changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The peer is used again.
    Up,
    /// The peer is not used any more.
    Down,
}

impl Verdict {
    /// Whether the peer must not be used.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Takes the result of a check. Only one thread may call this.
    pub fn take(&self, good: bool, rise: u32, fall: u32) -> Option<Change> {
        let down = self.is_down();
        if good != down {
            self.against.store(0, Ordering::Relaxed);
            return None;
        }
        let against = self.against.load(Ordering::Relaxed).saturating_add(1);
        self.against.store(against, Ordering::Relaxed);
        if against < if down { rise } else { fall } {
            return None;
        }
        self.against.store(0, Ordering::Relaxed);
        self.down.store(!down, Ordering::Relaxed);
        Some(if down { Change::Up } else { Change::Down })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(verdict: &Verdict, results: &str) -> String {
        let change = |c| match verdict.take(c == '+', 2, 3) {
            Some(Change::Up) => 'U',
            Some(Change::Down) => 'D',
            None => '.',
        };
        results.chars().map(change).collect()
    }

    #[test]
    fn falls_after_failures_in_a_row_and_rises_after_good_answers_in_a_row() {
        let verdict = Verdict::default();
        assert_eq!(changes(&verdict, "--+--+---"), "........D");
        assert_eq!(changes(&verdict, "-+-+-++++"), "......U..");
        assert_eq!(changes(&verdict, "--+---"), ".....D");
    }
}
