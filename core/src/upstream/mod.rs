//! Upstreams: groups of peers that do the same work, how one of them is chosen, and how it is reached.
//!
//! The state of a peer is shared by all workers; the order of choosing belongs to each worker's `Cursor`.

pub mod address;
pub mod balancer;
pub mod connector;
mod opening;
pub mod peer;
pub mod resolver;
pub mod settings;
pub mod sticky;
pub mod verdict;

pub use address::{PeerAddress, Query, Service, Target};
pub use balancer::{Affinity, Cookie, Cursor, Tried};
pub use connector::{connect, connect_as};
pub use peer::{Active, Outcome, Peer, PeerRef};
pub use resolver::Resolver;
pub use settings::Settings;
pub use sticky::Sticky;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use alb_conf::{Balance, PeerEntry};

use crate::published::Published;
use address::{Located, Resolved};
use balancer::{Policy, Ring};
use peer::PeerState;

/// A named group of peers.
pub struct Upstream {
    name: Arc<str>,
    settings: Settings,
    entries: Vec<PeerEntry>,
    resolved: Mutex<Resolved>,
    peers: Arc<Published<PeerSet>>,
}

/// The peers of an upstream at one moment: replaced as a whole when a name resolves anew.
#[derive(Default)]
pub struct PeerSet {
    /// Those that serve normally.
    pub primary: Vec<Arc<Peer>>,
    /// Those that serve when no primary can.
    pub backup: Vec<Arc<Peer>>,
    /// The points of the primaries, for `Balance::Hash`.
    ring: Option<Ring>,
}

impl Upstream {
    /// Builds the group. From `previous`, the group of the same name before a reload, it adopts the state of
    /// every peer whose address stays, and the addresses of every name that stays.
    pub fn new(
        name: &str,
        settings: Settings,
        entries: Vec<PeerEntry>,
        previous: Option<&Upstream>,
    ) -> Arc<Self> {
        let name: Arc<str> = name.into();
        let known = previous.map(|p| p.lock_resolved().clone());
        let resolved = known.unwrap_or_default();
        let before = previous.map(|p| p.peers.load());
        // A connection made under TLS settings that may have changed must not serve the new configuration.
        let same_transport = previous.is_some_and(|p| p.settings.same_transport(&settings));
        let adopt = Adopt::new(before.as_deref(), same_transport);
        let set = PeerSet::build(&name, &settings, &entries, &resolved, adopt);
        Arc::new(Upstream {
            name,
            settings,
            entries,
            resolved: Mutex::new(resolved),
            peers: Published::new(Arc::new(set)),
        })
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same name, for who keeps it longer than the group.
    pub fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// How its peers are talked to.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The peers of this moment.
    pub fn peers(&self) -> Arc<PeerSet> {
        self.peers.load()
    }

    /// A worker's place in the order of choosing. `start` shifts the beginning, so that workers and gateways do
    /// not move in step; `Cursor::random_start()` gives one.
    pub fn cursor(&self, start: u64) -> Cursor {
        let policy = Policy {
            balance: self.settings.balance,
            hash_key: self.settings.hash_key.clone(),
            sticky: self.settings.sticky.clone(),
            failover: self.settings.failover,
        };
        Cursor::new(self.peers.view(), policy, start)
    }

    /// A peer that is not of the list: where somebody else has said a connection is to go. It is talked to as those of
    /// the list are, by the name that the list has for that address, if any; its failures are nobody's.
    pub fn peer_at(&self, address: SocketAddr) -> Option<Active> {
        let entry = self.entries.first()?;
        let (ip, address) = (address.ip(), PeerAddress::Tcp(address));
        let peers = self.peers();
        let listed = peers.iter().find(|peer| *peer.address() == address);
        let named = listed.and_then(|peer| peer.host()).map(str::to_owned);
        let located = Located {
            host: named.or_else(|| Some(ip.to_string())),
            address,
            weight: None,
            backup: false,
        };
        let (name, state, id) = (Arc::clone(&self.name), Arc::default(), peer::next_id());
        let peer = Peer::new(name, located, entry, &self.settings, id, state);
        PeerRef::new(Arc::new(peer.in_service())).try_enter()
    }

    /// The questions whose answers are among its peers.
    pub fn queries(&self) -> BTreeSet<Query> {
        let queries = self.entries.iter().map(|e| Query::of(&e.address));
        queries.flatten().collect()
    }

    /// Whether answers to a question are known.
    pub fn is_resolved(&self, query: &Query) -> bool {
        self.lock_resolved().contains_key(query)
    }

    /// Takes the answers that hold now; peers whose address stays keep their state. False if nothing changed.
    pub fn set_targets(&self, query: &Query, targets: BTreeSet<Target>) -> bool {
        let mut resolved = self.lock_resolved();
        if resolved.get(query) == Some(&targets) {
            return false;
        }
        resolved.insert(query.clone(), targets);
        let before = self.peers.load();
        let adopt = Adopt::new(Some(&before), true);
        let set = PeerSet::build(&self.name, &self.settings, &self.entries, &resolved, adopt);
        self.peers.store(Arc::new(set));
        true
    }

    fn lock_resolved(&self) -> MutexGuard<'_, Resolved> {
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PeerSet {
    /// Every peer, primaries first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.primary.iter().chain(&self.backup)
    }

    /// Whether there is nothing to choose between: then failures are not held against the only peer (as nginx).
    pub fn is_single(&self) -> bool {
        self.primary.len() == 1 && self.backup.is_empty()
    }

    fn build(
        name: &Arc<str>,
        settings: &Settings,
        entries: &[PeerEntry],
        resolved: &Resolved,
        mut adopt: Adopt,
    ) -> Self {
        let mut set = PeerSet::default();
        for entry in entries {
            for located in Located::all_of(entry, resolved) {
                let side = match located.backup {
                    true => &mut set.backup,
                    false => &mut set.primary,
                };
                let adopted = adopt.take(&located.address);
                let (new, (id, state)) = (adopted.is_none(), adopted.unwrap_or_else(fresh));
                let peer = Peer::new(Arc::clone(name), located, entry, settings, id, state);
                if new && adopt.had_peers {
                    peer.rise(Instant::now());
                }
                side.push(Arc::new(peer));
            }
        }
        set.ring = (settings.balance == Balance::Hash)
            .then(|| Ring::of(&set.primary, settings.hash_peers));
        set
    }
}

/// Hands the state of earlier peers to the new ones at the same address, each once.
struct Adopt {
    earlier: Vec<Arc<Peer>>,
    keep_ids: bool,
    had_peers: bool,
}

impl Adopt {
    fn new(earlier: Option<&PeerSet>, keep_ids: bool) -> Self {
        let earlier = earlier.map_or_else(Vec::new, |set| set.iter().cloned().collect());
        Adopt {
            had_peers: !earlier.is_empty(),
            earlier,
            keep_ids,
        }
    }

    fn take(&mut self, address: &PeerAddress) -> Option<(u64, Arc<PeerState>)> {
        let index = self.earlier.iter().position(|p| p.address() == address)?;
        let peer = self.earlier.remove(index);
        let id = match self.keep_ids {
            true => peer.id(),
            false => peer::next_id(),
        };
        Some((id, peer.state()))
    }
}

fn fresh() -> (u64, Arc<PeerState>) {
    (peer::next_id(), Arc::default())
}

#[cfg(test)]
mod flapping;
#[cfg(test)]
mod tests;
