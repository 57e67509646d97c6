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

pub use address::PeerAddress;
pub use balancer::{Cursor, Tried};
pub use connector::{connect, connect_as};
pub use peer::{Active, Outcome, Peer, PeerRef};
pub use resolver::Resolver;
pub use settings::Settings;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alb_conf::{PeerAddress as Written, PeerEntry};

use crate::published::Published;
use address::Resolved;
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
        Cursor::new(self.peers.view(), start)
    }

    /// The DNS names among its peers.
    pub fn names(&self) -> BTreeSet<String> {
        let hosts = self.entries.iter().filter_map(|e| match &*e.address {
            Written::Name(host, _) => Some(host.clone()),
            Written::Ip(_) | Written::Unix(_) => None,
        });
        hosts.collect()
    }

    /// Whether addresses are known for a name.
    pub fn is_resolved(&self, host: &str) -> bool {
        self.lock_resolved().contains_key(host)
    }

    /// Takes the addresses a name has now; peers whose address stays keep their state. False if nothing changed.
    pub fn set_addresses(&self, host: &str, addresses: BTreeSet<IpAddr>) -> bool {
        let mut resolved = self.lock_resolved();
        if resolved.get(host) == Some(&addresses) {
            return false;
        }
        resolved.insert(host.to_owned(), addresses);
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
            let side = if entry.backup {
                &mut set.backup
            } else {
                &mut set.primary
            };
            for address in PeerAddress::all_of(&entry.address, resolved) {
                let (id, state) = adopt.take(&address);
                let peer = Peer::new(Arc::clone(name), address, entry, settings, id, state);
                side.push(Arc::new(peer));
            }
        }
        set
    }
}

/// Hands the state of earlier peers to the new ones at the same address, each once.
struct Adopt {
    earlier: Vec<Arc<Peer>>,
    keep_ids: bool,
}

impl Adopt {
    fn new(earlier: Option<&PeerSet>, keep_ids: bool) -> Self {
        Adopt {
            earlier: earlier.map_or_else(Vec::new, |set| set.iter().cloned().collect()),
            keep_ids,
        }
    }

    fn take(&mut self, address: &PeerAddress) -> (u64, Arc<PeerState>) {
        let found = self.earlier.iter().position(|p| p.address() == address);
        match found.map(|index| self.earlier.remove(index)) {
            Some(peer) if self.keep_ids => (peer.id(), peer.state()),
            Some(peer) => (peer::next_id(), peer.state()),
            None => (peer::next_id(), Arc::default()),
        }
    }
}

#[cfg(test)]
mod tests;
