//! Smooth weighted round robin, exactly as nginx.
//!
//! Each choice adds every candidate's share to its current weight, takes the largest and subtracts the total from it:
//! weights 5, 1, 1 give a a b a c a a.

use std::sync::Arc;
use std::time::Instant;

use crate::upstream::peer::{Peer, PeerRef, SHARE_UNIT};

/// How far a random start goes into the order at most; keeps huge weights from costing time.
const LONGEST_START: i64 = 4096;

/// A peer's place in the order of one worker.
pub(super) struct Slot {
    pub peer: PeerRef,
    current: i64,
}

/// The order of these peers, `start` turns after its beginning.
pub(super) fn slots(peers: &[Arc<Peer>], start: u64) -> Vec<Slot> {
    let slot = |peer: &Arc<Peer>| Slot {
        peer: PeerRef::new(Arc::clone(peer)),
        current: 0,
    };
    let mut slots: Vec<Slot> = peers.iter().map(slot).collect();
    let total: i64 = slots.iter().map(|s| s.peer.weight()).sum();
    let Ok(round) = u64::try_from(total.min(LONGEST_START)) else {
        return slots;
    };
    for _ in 0..start.checked_rem(round).unwrap_or(0) {
        turn(&mut slots, |_| true, |peer| peer.weight() * SHARE_UNIT);
    }
    slots
}

/// One turn of the smooth round robin among those that may be used.
pub(super) fn turn(
    slots: &mut [Slot],
    usable: impl Fn(&Peer) -> bool,
    share: impl Fn(&Peer) -> i64,
) -> Option<usize> {
    let mut total = 0;
    let mut best: Option<(usize, i64)> = None;
    for (index, slot) in slots.iter_mut().enumerate() {
        if !usable(&slot.peer) {
            continue;
        }
        let share = share(&slot.peer);
        slot.current += share;
        total += share;
        if best.is_none_or(|(_, current)| slot.current > current) {
            best = Some((index, slot.current));
        }
    }
    let (index, _) = best?;
    slots[index].current -= total;
    Some(index)
}

/// Charges a peer for a client that its cookie brought, so that new clients go elsewhere meanwhile; never below what one
/// full round costs.
pub(super) fn debit(slots: &mut [Slot], index: usize, now: Instant) {
    let total: i64 = slots.iter().map(|slot| slot.peer.share(now)).sum();
    let slot = &mut slots[index];
    let own = slot.peer.share(now);
    slot.current = (slot.current - own).max(own - total);
}
