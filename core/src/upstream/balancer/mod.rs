//! Choosing a peer. No I/O; time is passed in.
//!
//! Each worker has a [`Cursor`] of its own; what the workers share (failures, verdicts, tries under way) is in the peers.
//! A choice counts the try at once, so that `max_conns` holds exactly whatever the number of workers.

mod ip_hash;
mod least;
mod random;
mod ring;
mod slots;
mod tried;

pub(super) use ring::Ring;
pub use tried::Tried;

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use alb_conf::{Balance, HashKey};

use super::PeerSet;
use super::peer::{Active, Outcome, Peer, PeerRef};
use super::sticky::Sticky;
use crate::published::{Pinned, View};
use random::Dice;
use slots::{Slot, slots, turn};
use tried::Walk;

/// One worker's place in the order of one upstream.
pub struct Cursor {
    view: View<PeerSet>,
    generation: u64,
    policy: Policy,
    set: Pinned<PeerSet>,
    primary: Vec<Slot>,
    backup: Vec<Slot>,
    start: u64,
    dice: Dice,
}

/// How an upstream chooses: fixed for the life of a cursor.
#[derive(Clone)]
pub(super) struct Policy {
    pub balance: Balance,
    pub hash_key: HashKey,
    pub sticky: Option<Arc<Sticky>>,
    pub failover: bool,
}

/// What ties a request or a session to a peer.
#[derive(Clone, Copy, Debug)]
pub struct Affinity<'a> {
    /// The client's address, for `ip_hash` and for `hash` by `client_ip`.
    pub client_ip: IpAddr,
    /// What `hash_key` names, for `hash`; nothing or an empty key is balanced by round robin.
    pub key: Option<&'a [u8]>,
    /// The cookie of `sticky`, as the client sent it.
    pub cookie: Option<Cookie<'a>>,
}

/// A cookie and the time at which it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Cookie<'a> {
    /// Its value; anything may be in it.
    pub value: &'a str,
    /// Seconds since 1970.
    pub unix: u64,
}

impl Cursor {
    pub(super) fn new(view: View<PeerSet>, policy: Policy, start: u64) -> Self {
        let set = view.pin();
        let mut cursor = Cursor {
            view,
            generation: 0,
            policy,
            set,
            primary: Vec::new(),
            backup: Vec::new(),
            start,
            dice: Dice::new(start),
        };
        cursor.refresh();
        cursor
    }

    /// A start for `Upstream::cursor` that differs from worker to worker.
    pub fn random_start() -> u64 {
        RandomState::new().hash_one(0u8)
    }

    /// Chooses a peer not in `tried`, by round robin or what else needs to know nothing about the client, notes it there
    /// and counts the try until the guard is dropped. `None` if every one is down, failed, full or tried.
    pub fn pick(&mut self, now: Instant, tried: &mut Tried) -> Option<Active> {
        self.choose(now, None, tried)
    }

    /// As [`pick`](Self::pick), for a client that may belong to a certain peer.
    pub fn pick_for(
        &mut self,
        now: Instant,
        affinity: &Affinity<'_>,
        tried: &mut Tried,
    ) -> Option<Active> {
        self.choose(now, Some(affinity), tried)
    }

    /// The peer that a client belongs to by `hash` or `ip_hash`, in whatever state it is. `None` if it belongs to none.
    pub fn home(&mut self, affinity: &Affinity<'_>) -> Option<PeerRef> {
        self.refresh();
        let index = self.home_place(affinity)?;
        Some(self.primary[index].peer.clone())
    }

    /// Tells how a try ended. Must follow every `pick` whose peer was contacted.
    pub fn report(&self, peer: &PeerRef, outcome: Outcome, now: Instant) {
        peer.record(outcome, now, self.set.is_single());
    }

    /// The cookie that keeps a client at this peer, if the one it sent does not do so for long enough. `unix`: seconds since
    /// 1970.
    pub fn cookie(&self, peer: &Peer, sent: Option<&str>, unix: u64) -> Option<String> {
        self.policy.sticky.as_ref()?.renewed(peer.tag(), sent, unix)
    }

    fn choose(
        &mut self,
        now: Instant,
        affinity: Option<&Affinity<'_>>,
        tried: &mut Tried,
    ) -> Option<Active> {
        self.refresh();
        let kept = affinity.and_then(|a| self.kept(now, a, tried));
        let chosen = match kept {
            Some(active) => Some(active),
            None if self.set.is_single() => self.only(tried),
            None if !self.policy.failover => self.at_home(now, affinity?, tried),
            None => self.balanced(now, affinity, tried),
        };
        if let Some(active) = &chosen {
            tried.note(active.id());
            active.begin_window(now);
        }
        chosen
    }

    /// The peer that the client's cookie names, even one that takes no new clients.
    fn kept(&mut self, now: Instant, affinity: &Affinity<'_>, tried: &Tried) -> Option<Active> {
        let (sticky, cookie) = (self.policy.sticky.as_ref()?, affinity.cookie?);
        let tag = sticky.open(cookie.value, cookie.unix)?.tag;
        let single = self.set.is_single();
        let usable = |peer: &Peer| {
            let passed = if single {
                peer.is_up()
            } else {
                peer.is_sound(now)
            };
            peer.tag() == &tag && passed && !tried.contains(peer)
        };
        for slots in [&mut self.primary, &mut self.backup] {
            if let Some(index) = slots.iter().position(|slot| usable(&slot.peer)) {
                slots::debit(slots, index, now);
                return slots[index].peer.try_enter();
            }
        }
        None
    }

    /// Nothing to choose between: failures are not held against the only peer (as nginx).
    fn only(&self, tried: &Tried) -> Option<Active> {
        let peer = &self.primary.first()?.peer;
        let usable = peer.is_up() && !peer.is_drained() && !tried.contains(peer);
        usable.then(|| peer.try_enter())?
    }

    /// The peer that the client belongs to, and no other: what it has is there. One that is down or drained stays whose it is.
    fn at_home(&self, now: Instant, affinity: &Affinity<'_>, tried: &Tried) -> Option<Active> {
        let peer = &self.primary[self.home_place(affinity)?].peer;
        let usable = peer.is_available(now) && !tried.contains(peer);
        usable.then(|| peer.try_enter())?
    }

    fn home_place(&self, affinity: &Affinity<'_>) -> Option<usize> {
        let (slots, mut first) = (&self.primary, Walk::default());
        match self.policy.balance {
            Balance::IpHash | Balance::Hash if slots.len() == 1 => Some(0),
            Balance::IpHash => ip_hash::pick(slots, affinity.client_ip, &mut first, |_| true),
            Balance::Hash => self.set.ring.as_ref().and_then(|ring| {
                with_key(&self.policy.hash_key, affinity, |key| {
                    ring.pick(slots, key, &mut first, |_| true)
                })
            }),
            _ => None,
        }
    }

    fn balanced(
        &mut self,
        now: Instant,
        affinity: Option<&Affinity<'_>>,
        tried: &mut Tried,
    ) -> Option<Active> {
        // A full peer is passed over; another worker may fill one between the look and the count.
        for _ in 0..=self.primary.len() {
            let Some(index) = self.first_choice(now, affinity, tried) else {
                break;
            };
            if let Some(active) = self.primary[index].peer.try_enter() {
                return Some(active);
            }
        }
        let usable = |peer: &Peer| peer.is_available(now) && !tried.contains(peer);
        for _ in 0..self.backup.len() {
            let index = least_or_turn(self.policy.balance, &mut self.backup, usable, now)?;
            if let Some(active) = self.backup[index].peer.try_enter() {
                return Some(active);
            }
        }
        None
    }

    /// The primary that the algorithm wants.
    fn first_choice(
        &mut self,
        now: Instant,
        affinity: Option<&Affinity<'_>>,
        tried: &mut Tried,
    ) -> Option<usize> {
        let (mut walk, slots) = (tried.walk, &mut self.primary);
        let usable = |peer: &Peer| peer.is_available(now) && !tried.contains(peer);
        let hashed = match (self.policy.balance, affinity) {
            (Balance::IpHash, Some(affinity)) => {
                ip_hash::pick(slots, affinity.client_ip, &mut walk, usable)
            }
            (Balance::Hash, Some(affinity)) => self.set.ring.as_ref().and_then(|ring| {
                with_key(&self.policy.hash_key, affinity, |key| {
                    ring.pick(slots, key, &mut walk, usable)
                })
            }),
            (Balance::Random, _) => random::pick(slots, &mut self.dice, usable, now),
            _ => None,
        };
        let chosen = hashed.or_else(|| least_or_turn(self.policy.balance, slots, usable, now));
        tried.walk = walk;
        chosen
    }

    /// Takes over the peers of this moment if they have changed.
    fn refresh(&mut self) {
        let set = self.view.pin();
        if self.view.generation() == self.generation {
            return;
        }
        self.generation = self.view.generation();
        self.primary = slots(&set.primary, self.start);
        self.backup = slots(&set.backup, self.start);
        self.set = set;
    }
}

/// What every algorithm falls back to.
fn least_or_turn(
    balance: Balance,
    slots: &mut [Slot],
    usable: impl Fn(&Peer) -> bool,
    now: Instant,
) -> Option<usize> {
    match balance {
        Balance::LeastConnections => least::pick(slots, usable, now),
        _ => turn(slots, usable, |peer| peer.take_share(now)),
    }
}

/// Hands over the key of a client: its address as text, or what the caller found.
fn with_key<R>(
    source: &HashKey,
    affinity: &Affinity<'_>,
    run: impl FnOnce(&[u8]) -> Option<R>,
) -> Option<R> {
    if *source != HashKey::ClientIp || affinity.key.is_some() {
        return run(affinity.key.filter(|key| !key.is_empty())?);
    }
    // The longest text of an IPv6 address has 45 characters.
    let mut text = [0u8; 48];
    let mut rest = &mut text[..];
    write!(rest, "{}", affinity.client_ip.to_canonical()).ok()?;
    let length = 48 - rest.len();
    run(&text[..length])
}

#[cfg(test)]
mod tests;
