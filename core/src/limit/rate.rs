//! Requests per second: nginx's `limit_req`, to the digit.
//!
//! A leaky bucket in thousandths of a request, leaking `rate` thousandths per second, at a clock of milliseconds, with
//! all divisions rounded down. The first request of a key scores 0.

use std::sync::Arc;
use std::time::Duration;

use super::key::Key;
use super::table::{Place, Table};

/// One request.
const ONE: u64 = 1000;

/// A rate limit.
pub(super) struct Rate {
    /// Thousandths per second.
    rate: u64,
    /// Thousandths above which a request is refused.
    burst: u64,
    /// Thousandths up to which a request does not wait.
    delay: u64,
    table: Arc<Table<Bucket>>,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Thousandths that have not leaked at `last`.
    excess: u64,
    /// Milliseconds; 0 is long ago.
    last: u64,
}

/// A request that was let through.
#[derive(Debug)]
pub(super) struct Charge {
    place: Place,
    before: Bucket,
    after: Bucket,
}

impl Rate {
    pub(super) fn new(written: &alb_conf::Limit, table: Arc<Table<Bucket>>) -> Option<Self> {
        let thousandths = |count: u32| u64::from(count) * ONE;
        Some(Rate {
            rate: written.rate.as_deref()?.thousandths_per_second(),
            burst: thousandths(written.burst),
            delay: match written.nodelay {
                true => u64::MAX,
                false => thousandths(written.delay),
            },
            table,
        })
    }

    pub(super) fn table(&self) -> &Arc<Table<Bucket>> {
        &self.table
    }

    /// Counts a request; how long it must wait, or the time after which it would not be refused.
    pub(super) fn charge(&self, key: &Key, now: u64) -> Result<(Charge, Duration), Duration> {
        let (place, (before, after)) = self.table.with(
            key,
            |state| self.excess_at(state, now) > 0,
            |state| {
                let before = *state;
                let after = Bucket {
                    excess: self.excess_at(state, now),
                    last: now.max(before.last),
                };
                if after.excess <= self.burst {
                    *state = after;
                }
                (before, after)
            },
        );
        if after.excess > self.burst {
            return Err(self.time(after.excess - self.burst));
        }
        let early = after.excess.saturating_sub(self.delay);
        let wait = match early {
            0 => Duration::ZERO,
            early => Duration::from_millis(early * ONE / self.rate),
        };
        let charge = Charge {
            place,
            before,
            after,
        };
        Ok((charge, wait))
    }

    /// Takes a request back that another limit refused.
    pub(super) fn undo(&self, key: &Key, charge: &Charge) {
        self.table.again(key, charge.place, |state| {
            if *state == charge.after {
                *state = charge.before;
            } else {
                // Others have come since: only this one is taken away.
                state.excess = state.excess.saturating_sub(ONE);
            }
        });
    }

    /// What a request scores now. 0 is also what it scores when nothing is known, so a key that scores 0 can be
    /// forgotten.
    fn excess_at(&self, state: &Bucket, now: u64) -> u64 {
        // Another worker may have been ahead: as in nginx, time does not go back.
        let leaked = self.rate.saturating_mul(now.saturating_sub(state.last)) / 1000;
        (state.excess + ONE).saturating_sub(leaked)
    }

    /// The time in which so many thousandths leak.
    fn time(&self, thousandths: u64) -> Duration {
        Duration::from_millis((thousandths * 1000).div_ceil(self.rate))
    }
}

#[cfg(test)]
mod tests;
