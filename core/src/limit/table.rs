//! The counts of many keys in a fixed amount of memory, shared by all workers.
//!
//! A key has one bucket of seven places in the main part and, should that be full, one of the overflow part,
//! 7/40 as large. Each bucket is guarded by a lock of its own that is held for some ten nanoseconds, and they are always
//! taken in the order main, overflow: a decision is exact, and workers meet only over the same bucket.
//!
//! A place is given to a new key only if it is free or if nobody would notice that its key is forgotten: a flood of new
//! keys cannot erase what is known of a key under limit. With as many live keys as the table was made for, one key in
//! two millions finds both of its buckets full. Such a key is counted together with those of the same network, in a
//! third part of fixed size; how often is [`Table::pressed`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::Key;

/// Places of a bucket: its lock and the first halves of their keys fill one cache line, the whole four.
const PLACES: usize = 7;
/// Shared counts.
const NETWORKS: usize = 1024;

/// What is counted of a key. The default is what is known of a key never seen.
pub(super) trait State: Copy + Default + PartialEq + Send {}

impl<S: Copy + Default + PartialEq + Send> State for S {}

/// The counts of many keys.
pub(super) struct Table<S> {
    main: Box<[Bucket<S>]>,
    overflow: Box<[Bucket<S>]>,
    networks: Box<[Mutex<S>]>,
    pressed: AtomicU64,
}

/// Where a count was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The key has one of its own.
    Own,
    /// It shares that of its network.
    Shared,
}

#[repr(align(64))]
struct Bucket<S>(Mutex<Places<S>>);

/// A key is split, so that looking for one touches one cache line. 0 and 0 is a free place.
struct Places<S> {
    low: [u64; PLACES],
    rest: [Rest<S>; PLACES],
}

#[derive(Clone, Copy, Default)]
struct Rest<S> {
    high: u64,
    state: S,
}

impl<S: State> Table<S> {
    /// A table for so many live keys, in about 65 bytes each (with a state of 16).
    pub(super) fn new(entries: usize) -> Self {
        // Two thirds full, the main part turns three keys in a hundred away.
        let main = (entries.max(1) * 3 / 2).div_ceil(PLACES);
        let overflow = (main * 7).div_ceil(40);
        let buckets = |count| (0..count).map(|_| Bucket::default()).collect();
        Table {
            main: buckets(main),
            overflow: buckets(overflow),
            networks: (0..NETWORKS).map(|_| Mutex::default()).collect(),
            pressed: AtomicU64::new(0),
        }
    }

    /// Gives the state of a key to `change`, a default one if it is new. `is_live` says whether forgetting a state
    /// would be noticed.
    pub(super) fn with<R>(
        &self,
        key: &Key,
        is_live: impl Fn(&S) -> bool,
        change: impl FnOnce(&mut S) -> R,
    ) -> (Place, R) {
        let mut main = self.main(key).lock();
        if let Some(state) = main.find(key.id) {
            return (Place::Own, change(state));
        }
        let mut overflow = self.overflow(key).lock();
        if let Some(state) = overflow.find(key.id) {
            return (Place::Own, change(state));
        }
        if let Some(state) = main.take(key.id, &is_live) {
            return (Place::Own, change(state));
        }
        if let Some(state) = overflow.take(key.id, &is_live) {
            return (Place::Own, change(state));
        }
        drop((main, overflow));
        self.pressed.fetch_add(1, Ordering::Relaxed);
        (Place::Shared, change(&mut self.shared(key)))
    }

    /// Gives the state that [`with`](Self::with) found at `place` to `change`; nothing if the key has been forgotten
    /// since, which happens to dead ones only.
    pub(super) fn again(&self, key: &Key, place: Place, change: impl FnOnce(&mut S)) {
        if place == Place::Shared {
            return change(&mut self.shared(key));
        }
        let mut main = self.main(key).lock();
        if let Some(state) = main.find(key.id) {
            return change(state);
        }
        if let Some(state) = self.overflow(key).lock().find(key.id) {
            change(state);
        }
    }

    /// The state of a key as it is, a default one if nothing is known; takes no place.
    pub(super) fn read(&self, key: &Key) -> S {
        let mut main = self.main(key).lock();
        if let Some(state) = main.find(key.id) {
            return *state;
        }
        if let Some(state) = self.overflow(key).lock().find(key.id) {
            return *state;
        }
        *self.shared(key)
    }

    /// How often a key had to share the count of its network.
    pub(super) fn pressed(&self) -> u64 {
        self.pressed.load(Ordering::Relaxed)
    }

    fn main(&self, key: &Key) -> &Bucket<S> {
        &self.main[spread(key.place >> 32, self.main.len())]
    }

    fn overflow(&self, key: &Key) -> &Bucket<S> {
        &self.overflow[spread(key.place & 0xffff_ffff, self.overflow.len())]
    }

    fn shared(&self, key: &Key) -> MutexGuard<'_, S> {
        let network = &self.networks[spread(key.network >> 32, NETWORKS)];
        network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl<S: State> Table<S> {
    /// The states kept, of whatever key.
    pub(super) fn states(&self) -> Vec<S> {
        let buckets = self.main.iter().chain(&self.overflow);
        let own = buckets.flat_map(|bucket| bucket.lock().rest.map(|rest| rest.state));
        let shared = self.networks.iter();
        let shared = shared.map(|state| *state.lock().unwrap_or_else(PoisonError::into_inner));
        own.chain(shared).collect()
    }

    pub(super) fn bytes(&self) -> usize {
        let buckets = self.main.len() + self.overflow.len();
        buckets * size_of::<Bucket<S>>() + NETWORKS * size_of::<Mutex<S>>()
    }
}

/// A number below `count` from 32 even bits.
fn spread(bits: u64, count: usize) -> usize {
    ((bits * count as u64) >> 32) as usize
}

impl<S: State> Bucket<S> {
    /// Nothing can panic while it is held; and if it could, a count is better than none.
    fn lock(&self) -> MutexGuard<'_, Places<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: State> Default for Bucket<S> {
    fn default() -> Self {
        Bucket(Mutex::new(Places {
            low: [0; PLACES],
            rest: [Rest::default(); PLACES],
        }))
    }
}

impl<S: State> Places<S> {
    fn find(&mut self, id: u128) -> Option<&mut S> {
        let (low, high) = (id as u64, (id >> 64) as u64);
        let is_it = |at: &usize| self.low[*at] == low && self.rest[*at].high == high;
        let at = (0..PLACES).find(is_it)?;
        Some(&mut self.rest[at].state)
    }

    /// A fresh state in a place that is free, or whose state is not live.
    fn take(&mut self, id: u128, is_live: impl Fn(&S) -> bool) -> Option<&mut S> {
        let at = (0..PLACES).find(|at| {
            let rest = &self.rest[*at];
            (self.low[*at] == 0 && rest.high == 0) || !is_live(&rest.state)
        })?;
        self.low[at] = id as u64;
        self.rest[at] = Rest {
            high: (id >> 64) as u64,
            state: S::default(),
        };
        Some(&mut self.rest[at].state)
    }
}
