//! Bytes per second, of one response or session and of all that have the same key together.
//!
//! Nothing is held back here: [`Throttle::take`] counts what has just been moved and says how long to wait before
//! moving more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::key::Key;
use super::table::{Place, Table};

/// What was not used lately may be made up for, in nanoseconds: wakes come late, and a pace must not suffer by it.
const SLACK: u64 = 100_000_000;
/// Shorter waits are put off until they have added up: timers are no finer than a millisecond.
const LEAST: Duration = Duration::from_millis(2);
/// Pieces in a second, and the bounds of a piece in bytes.
const PIECES: u64 = 20;
const PIECE: (u64, u64) = (512, 64 * 1024);

/// When what has been moved is paid for, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paid(u64);

/// The bandwidths of a limit.
pub(super) struct Bandwidth {
    own: Option<(u64, u64)>,
    shared: Option<u64>,
    table: Arc<Table<Paid>>,
}

/// Paces one direction of one response or session.
#[derive(Default)]
pub struct Throttle {
    paces: Vec<Pace>,
}

#[derive(Clone)]
pub(super) struct Pace {
    clock: Clock,
    /// Bytes per second.
    rate: u64,
    count: Count,
}

#[derive(Clone)]
enum Count {
    /// Of this response or session, after so many bytes.
    Own { free: u64, paid: Paid },
    /// Of everything with this key.
    Shared { key: Key, table: Arc<Table<Paid>> },
}

impl Bandwidth {
    pub(super) fn new(written: &alb_conf::Limit, table: Arc<Table<Paid>>) -> Option<Self> {
        let rate = |written: Option<alb_conf::Bandwidth>| written.map(|b| b.bytes_per_second());
        let own = rate(written.bandwidth).map(|rate| (rate, *written.bandwidth_after));
        let shared = rate(written.bandwidth_per_key);
        (own.is_some() || shared.is_some()).then_some(Bandwidth { own, shared, table })
    }

    pub(super) fn table(&self) -> &Arc<Table<Paid>> {
        &self.table
    }

    /// The paces for something with this key.
    pub(super) fn paces(&self, key: &Key, clock: Clock) -> impl Iterator<Item = Pace> {
        let own = self.own.map(|(rate, free)| {
            let paid = Paid::default();
            (rate, Count::Own { free, paid })
        });
        let shared = self.shared.map(|rate| {
            let (key, table) = (*key, Arc::clone(&self.table));
            (rate, Count::Shared { key, table })
        });
        let both = own.into_iter().chain(shared);
        both.map(move |(rate, count)| Pace { clock, rate, count })
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rates = self.paces.iter().map(|pace| pace.rate);
        f.debug_list().entries(rates).finish()
    }
}

impl Throttle {
    pub(super) fn new(paces: &[Pace]) -> Option<Self> {
        (!paces.is_empty()).then(|| Throttle {
            paces: paces.to_vec(),
        })
    }

    /// Counts `bytes` that have been moved; how long to wait before more are. Often zero.
    pub fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let wait = self
            .paces
            .iter_mut()
            .map(|pace| pace.take(bytes as u64, now));
        let wait = wait.max().unwrap_or_default();
        if wait < LEAST { Duration::ZERO } else { wait }
    }

    /// The most bytes to move at once, so that they come evenly.
    pub fn piece(&self) -> usize {
        let slowest = self.paces.iter().map(|pace| pace.rate).min();
        let piece = slowest.unwrap_or(u64::MAX) / PIECES;
        piece.clamp(PIECE.0, PIECE.1) as usize
    }
}

impl Pace {
    fn take(&mut self, bytes: u64, now: Instant) -> Duration {
        let (now, rate) = (self.clock.nanos(now), self.rate);
        let wait = match &mut self.count {
            Count::Own { free, paid } => {
                let charged = bytes.saturating_sub(*free);
                *free = free.saturating_sub(bytes);
                paid.charge(charged, rate, now)
            }
            Count::Shared { key, table } => {
                let is_live = |paid: &Paid| paid.0.saturating_add(SLACK) > now;
                let (_, wait): (Place, u64) =
                    table.with(key, is_live, |paid| paid.charge(bytes, rate, now));
                wait
            }
        };
        Duration::from_nanos(wait)
    }
}

impl Paid {
    /// Nanoseconds from `now` until `bytes` more are paid for.
    fn charge(&mut self, bytes: u64, rate: u64, now: u64) -> u64 {
        let time = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        let from = self.0.max(now.saturating_sub(SLACK));
        self.0 = from.saturating_add(u64::try_from(time).unwrap_or(u64::MAX));
        self.0.saturating_sub(now)
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

    fn throttles(toml: &str, count: usize) -> (Vec<Throttle>, Instant) {
        let written = crate::limit::registry::written(toml);
        let bandwidth = Bandwidth::new(&written, Arc::new(Table::new(16))).expect("a bandwidth");
        let clock = Clock::new();
        let paces: Vec<Pace> = bandwidth.paces(&KEY, clock).collect();
        let each = || Throttle::new(&paces).expect("a pace");
        (
            (0..count).map(|_| each()).collect(),
            Instant::now() + Duration::from_secs(5),
        )
    }

    /// The time in which so many pieces pass, each as soon as it may.
    fn time_of(throttle: &mut Throttle, pieces: u32, bytes: usize, start: Instant) -> f64 {
        let mut now = start;
        for _ in 0..pieces {
            now += throttle.take(bytes, now);
        }
        (now - start).as_secs_f64()
    }

    #[test]
    fn a_response_takes_its_time_after_what_is_free() {
        let (mut two, now) = throttles("bandwidth = \"1MiB/s\"\nbandwidth_after = \"2MiB\"", 2);
        let piece = two[0].piece();
        assert_eq!(piece, 52_428);
        assert_eq!(time_of(&mut two[0], 40, piece, now), 0.0);
        let took = time_of(&mut two[0], 200, piece, now);
        assert!((9.85..=9.96).contains(&took), "{took}");
        // Another response has its own pace.
        assert_eq!(time_of(&mut two[1], 40, piece, now), 0.0);
    }

    #[test]
    fn a_key_has_one_bandwidth_for_all() {
        let (mut two, start) = throttles("bandwidth_per_key = \"100KB/s\"", 2);
        let mut now = start;
        for _ in 0..50 {
            let one = two[0].take(5_000, now);
            now += one.max(two[1].take(5_000, now));
        }
        let took = (now - start).as_secs_f64();
        assert!((4.85..=5.0).contains(&took), "{took}");
    }

    #[test]
    fn a_wait_overslept_is_made_up_for_and_a_long_pause_is_not() {
        let (mut one, start) = throttles("bandwidth = \"100KB/s\"", 1);
        let mut now = start;
        for _ in 0..100 {
            now += one[0].take(5_000, now) + Duration::from_millis(3);
        }
        let took = (now - start).as_secs_f64();
        assert!((4.85..=5.01).contains(&took), "{took}");
        now += Duration::from_secs(60);
        let after = time_of(&mut one[0], 20, 5_000, now);
        assert!((0.89..=1.0).contains(&after), "{after}");
    }
}
