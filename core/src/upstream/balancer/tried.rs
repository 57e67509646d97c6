//! The peers one request has been sent to.

use crate::upstream::peer::Peer;

/// How many tries fit without memory of their own: more than nearly every `retry.tries`.
const FEW: usize = 4;

/// The peers one request has been sent to, and how far its hash has walked.
#[derive(Debug, Default)]
pub struct Tried {
    few: [u64; FEW],
    more: Vec<u64>,
    count: usize,
    pub(super) walk: Walk,
}

/// The state of a hash between the tries of one request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// The hash of `ip_hash`, or the place on the ring; `None` before the first choice.
    pub hash: Option<u32>,
    /// Peers that it led to in vain.
    pub misses: u8,
}

impl Walk {
    /// As nginx: after more misses than this the order of round robin decides.
    const MOST_MISSES: u8 = 20;

    /// Whether it has led to too many peers that could not be used.
    pub fn is_lost(self) -> bool {
        self.misses > Self::MOST_MISSES
    }
}

impl Tried {
    /// Whether this peer has been tried.
    pub fn contains(&self, peer: &Peer) -> bool {
        let few = &self.few[..self.count.min(FEW)];
        few.contains(&peer.id()) || self.more.contains(&peer.id())
    }

    /// How many peers have been tried.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(super) fn note(&mut self, id: u64) {
        match self.few.get_mut(self.count) {
            Some(place) => *place = id,
            None => self.more.push(id),
        }
        self.count += 1;
    }
}
