//! Least connections: the fewest tries under way for the weight; between equals smooth round robin. As nginx.

use std::time::Instant;

use super::slots::{Slot, turn};
use crate::upstream::peer::Peer;

pub(super) fn pick(
    slots: &mut [Slot],
    usable: impl Fn(&Peer) -> bool,
    now: Instant,
) -> Option<usize> {
    let load = |peer: &Peer| Load {
        active: peer.active() as i128,
        weight: i128::from(peer.full_share(now)),
    };
    let mut best: Option<(usize, Load)> = None;
    for (index, slot) in slots.iter().enumerate() {
        if !usable(&slot.peer) {
            continue;
        }
        let own = load(&slot.peer);
        if best.is_none_or(|(_, least)| own.is_less(least)) {
            best = Some((index, own));
        }
    }
    let (index, least) = best?;
    let equal = |peer: &Peer| usable(peer) && load(peer).is_equal(least);
    // Another worker may have changed the counts since: then the first look stands.
    turn(slots, equal, |peer| peer.take_share(now)).or(Some(index))
}

/// Tries under way and the weight they are held against; compared crosswise, so that nothing is rounded.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub active: i128,
    pub weight: i128,
}

impl Load {
    pub fn is_less(self, other: Self) -> bool {
        self.active * other.weight < other.active * self.weight
    }

    fn is_equal(self, other: Self) -> bool {
        self.active * other.weight == other.active * self.weight
    }
}
