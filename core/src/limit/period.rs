//! Requests per period: in windows one after the other, or in one that slides.
//!
//! The sliding window is computed from two counts: what was admitted in this period, and the share of the one before
//! that still lies within `per`, taken as even. So a key takes as much memory as with fixed windows.

use std::sync::Arc;
use std::time::Duration;

use alb_conf::Window;

use super::key::Key;
use super::table::{Place, Table};

/// A limit per period.
pub(super) struct Period {
    most: u64,
    /// Milliseconds.
    per: u64,
    window: Window,
    table: Arc<Table<Counts>>,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// When the current period began, in milliseconds; 0 is long ago.
    start: u64,
    now: u32,
    before: u32,
}

impl Period {
    pub(super) fn new(written: &alb_conf::Limit, table: Arc<Table<Counts>>) -> Option<Self> {
        let per = written.per?.as_millis();
        Some(Period {
            most: written.requests?,
            per: u64::try_from(per).unwrap_or(u64::MAX).max(1),
            window: written.window,
            table,
        })
    }

    pub(super) fn table(&self) -> &Arc<Table<Counts>> {
        &self.table
    }

    /// Counts a request, or says when the next one has a chance.
    pub(super) fn charge(&self, key: &Key, now: u64) -> Result<Place, Duration> {
        let is_live = |state: &Counts| self.at(*state, now) != Counts::default();
        let (place, result) = self.table.with(key, is_live, |state| {
            let mut counts = self.at(*state, now);
            if counts == Counts::default() {
                counts.start = now;
            }
            let wait = self.wait(&counts, now);
            if wait == 0 {
                counts.now = counts.now.saturating_add(1);
                *state = counts;
            }
            wait
        });
        match result {
            0 => Ok(place),
            wait => Err(Duration::from_millis(wait)),
        }
    }

    /// Takes a request back that another limit refused.
    pub(super) fn undo(&self, key: &Key, place: Place) {
        self.table.again(key, place, |state| {
            state.now = state.now.saturating_sub(1);
        });
    }

    /// The counts with the period moved to `now`; the default if nothing of them is left.
    fn at(&self, state: Counts, now: u64) -> Counts {
        let passed = now.saturating_sub(state.start) / self.per;
        match (passed, self.window) {
            (0, _) if state.now > 0 || state.before > 0 => state,
            (1, Window::Sliding) if state.now > 0 => Counts {
                start: state.start + self.per,
                now: 0,
                before: state.now,
            },
            _ => Counts::default(),
        }
    }

    /// Milliseconds until one more is allowed; 0: now.
    fn wait(&self, counts: &Counts, now: u64) -> u64 {
        let elapsed = now.saturating_sub(counts.start);
        let left = self.per - elapsed.min(self.per);
        let room = self.most.saturating_sub(u64::from(counts.now));
        if room == 0 {
            // At the end of this period, and under a sliding window not before some of it has gone by.
            let over = match self.window {
                Window::Fixed => 0,
                Window::Sliding => self.until(u64::from(counts.now), self.most - 1),
            };
            return (left + over).max(1);
        }
        self.until(u64::from(counts.before), room - 1)
            .saturating_sub(elapsed)
    }

    /// How far into a period the share of `before` has fallen to `most`.
    fn until(&self, before: u64, most: u64) -> u64 {
        if before <= most {
            return 0;
        }
        // before * (per - t) / per <= most, in 128 bits: 2³² requests times 2³² milliseconds.
        let kept = u128::from(most) * u128::from(self.per) / u128::from(before);
        self.per - u64::try_from(kept).unwrap_or(self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key {
        id: 1,
        place: 0,
        network: 0,
    };

    fn period(toml: &str) -> Period {
        let written = crate::limit::registry::written(toml);
        Period::new(&written, Arc::new(Table::new(16))).expect("a period")
    }

    fn drive(toml: &str, arrivals: &[u64]) -> Vec<Result<(), u64>> {
        let period = period(toml);
        let one = |now: &u64| match period.charge(&KEY, 1_000_000 + now) {
            Ok(_) => Ok(()),
            Err(wait) => Err(wait.as_millis() as u64),
        };
        arrivals.iter().map(one).collect()
    }

    #[test]
    fn a_fixed_period_begins_with_the_first_request_after_the_last() {
        let fared = drive(
            "requests = 2\nper = \"10s\"",
            &[0, 4_000, 9_999, 10_000, 17_000, 19_999, 25_000],
        );
        let expected = [Ok(()), Ok(()), Err(1), Ok(()), Ok(()), Err(1), Ok(())];
        assert_eq!(fared, expected);
    }

    #[test]
    fn a_sliding_period_takes_its_share_of_the_one_before() {
        let toml = "requests = 4\nper = \"10s\"\nwindow = \"sliding\"";
        // Four at once: the next when a quarter of the period after has gone by.
        let fared = drive(toml, &[0, 0, 0, 0, 0, 10_000, 12_499, 12_500, 12_500]);
        let expected = [
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            Err(12_500),
            Err(2_500),
            Err(1),
            Ok(()),
            Err(2_500),
        ];
        assert_eq!(fared, expected);
        // Two periods later nothing is left of it.
        assert_eq!(
            drive(toml, &[0, 0, 0, 0, 20_000, 20_000, 20_000, 20_000])[4..],
            [Ok(()); 4]
        );
    }

    #[test]
    fn what_is_taken_back_leaves_room() {
        let period = period("requests = 1\nper = \"1h\"");
        let place = period.charge(&KEY, 5_000).expect("admitted");
        assert!(period.charge(&KEY, 5_001).is_err());
        period.undo(&KEY, place);
        assert!(period.charge(&KEY, 5_001).is_ok());
    }
}
