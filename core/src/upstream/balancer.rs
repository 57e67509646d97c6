//! Choosing a peer: smooth weighted round robin, exactly as nginx. No I/O; time is passed in.
//!
//! Each choice adds every candidate's effective weight to its current weight, takes the largest and subtracts
//! the total from it: weights 5, 1, 1 give a a b a c a a.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use super::PeerSet;
use super::peer::{Outcome, Peer, PeerRef};
use crate::published::View;

/// How far a random start goes into the order at most; keeps huge weights from costing time.
const LONGEST_START: i64 = 4096;

/// One worker's place in the order of one upstream.
pub struct Cursor {
    view: View<PeerSet>,
    generation: u64,
    single: bool,
    primary: Vec<Slot>,
    backup: Vec<Slot>,
    start: u64,
}

/// The peers one request has been sent to.
#[derive(Debug, Default)]
pub struct Tried(Vec<u64>);

struct Slot {
    peer: PeerRef,
    current: i64,
}

impl Cursor {
    pub(super) fn new(view: View<PeerSet>, start: u64) -> Self {
        let mut cursor = Cursor {
            view,
            generation: 0,
            single: false,
            primary: Vec::new(),
            backup: Vec::new(),
            start,
        };
        cursor.refresh();
        cursor
    }

    /// A start for `Upstream::cursor` that differs from worker to worker.
    pub fn random_start() -> u64 {
        RandomState::new().hash_one(0u8)
    }

    /// Chooses a peer not in `tried` and notes it there. `None` if every one is down, failed or tried.
    pub fn pick(&mut self, now: Instant, tried: &mut Tried) -> Option<PeerRef> {
        self.refresh();
        let chosen = if self.single {
            let only = self.primary.first().map(|slot| &slot.peer);
            only.filter(|p| !p.is_down() && !tried.contains(p)).cloned()
        } else {
            choose(&mut self.primary, now, tried).or_else(|| choose(&mut self.backup, now, tried))
        };
        if let Some(peer) = &chosen {
            tried.0.push(peer.id());
        }
        chosen
    }

    /// Tells how a try ended. Must follow every `pick` whose peer was contacted.
    pub fn report(&self, peer: &PeerRef, outcome: Outcome, now: Instant) {
        peer.record(outcome, now, self.single);
    }

    /// Takes over the peers of this moment if they have changed.
    fn refresh(&mut self) {
        let set = self.view.pin();
        if self.view.generation() == self.generation {
            return;
        }
        self.generation = self.view.generation();
        self.single = set.is_single();
        self.primary = slots(&set.primary, self.start);
        self.backup = slots(&set.backup, self.start);
    }
}

impl Tried {
    /// Whether this peer has been tried.
    pub fn contains(&self, peer: &Peer) -> bool {
        self.0.contains(&peer.id())
    }

    /// How many peers have been tried.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn slots(peers: &[Arc<Peer>], start: u64) -> Vec<Slot> {
    let slot = |peer: &Arc<Peer>| Slot {
        peer: PeerRef::new(Arc::clone(peer)),
        current: 0,
    };
    let mut slots: Vec<Slot> = peers.iter().map(slot).collect();
    let total: i64 = slots.iter().map(|s| s.peer.effective_weight()).sum();
    let Ok(round) = u64::try_from(total.min(LONGEST_START)) else {
        return slots;
    };
    for _ in 0..start.checked_rem(round).unwrap_or(0) {
        turn(&mut slots, |_| true, |_| {});
    }
    slots
}

/// One choice among those that may be used.
fn choose(slots: &mut [Slot], now: Instant, tried: &Tried) -> Option<PeerRef> {
    let usable = |peer: &Peer| !tried.contains(peer) && peer.is_available(now);
    let chosen = turn(slots, usable, Peer::recover_weight)?;
    chosen.begin_window(now);
    Some(chosen)
}

/// One turn of the smooth round robin; `considered` is called for every candidate.
fn turn(
    slots: &mut [Slot],
    usable: impl Fn(&Peer) -> bool,
    considered: impl Fn(&Peer),
) -> Option<PeerRef> {
    let mut total = 0;
    let mut best: Option<&mut Slot> = None;
    for slot in slots.iter_mut().filter(|s| usable(&s.peer)) {
        let weight = slot.peer.effective_weight();
        slot.current += weight;
        total += weight;
        considered(&slot.peer);
        if best.as_ref().is_none_or(|b| slot.current > b.current) {
            best = Some(slot);
        }
    }
    let best = best?;
    best.current -= total;
    Some(best.peer.clone())
}
