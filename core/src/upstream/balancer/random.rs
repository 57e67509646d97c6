//! Random with two choices: two different peers are drawn by weight, the less busy of them is taken.

use std::time::Instant;

use super::least::Load;
use super::slots::Slot;
use crate::upstream::peer::Peer;

/// A generator of numbers nobody has to guess (xorshift64*, Vigna 2016).
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero.
        Dice(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// A number below `bound`, which must be above 0.
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 2;
        number as i64 % bound
    }
}

pub(super) fn pick(
    slots: &mut [Slot],
    dice: &mut Dice,
    usable: impl Fn(&Peer) -> bool,
    now: Instant,
) -> Option<usize> {
    let first = draw(slots, dice, &usable, now)?;
    let other = |peer: &Peer| peer.id() != slots[first].peer.id() && usable(peer);
    let Some(second) = draw(slots, dice, &other, now) else {
        return Some(first);
    };
    let load = |index: usize| Load {
        active: slots[index].peer.active() as i128,
        weight: i128::from(slots[index].peer.full_share(now)),
    };
    Some(match load(second).is_less(load(first)) {
        true => second,
        false => first,
    })
}

/// One of those that may be used, by weight.
fn draw(
    slots: &[Slot],
    dice: &mut Dice,
    usable: &impl Fn(&Peer) -> bool,
    now: Instant,
) -> Option<usize> {
    let shares = || {
        let candidates = slots.iter().enumerate().filter(|(_, s)| usable(&s.peer));
        candidates.map(|(index, slot)| (index, slot.peer.full_share(now)))
    };
    let total: i64 = shares().map(|(_, share)| share).sum();
    let mut left = (total > 0).then(|| dice.below(total))?;
    let mut last = None;
    for (index, share) in shares() {
        if left < share {
            return Some(index);
        }
        left -= share;
        last = Some(index);
    }
    // A peer became unusable between the two looks.
    last
}
