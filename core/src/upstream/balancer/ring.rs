//! Consistent hashing on a ring of points (ketama), as nginx's `hash … consistent` and Cache::Memcached::Fast: 160 points
//! per unit of weight, each the CRC-32 of `HOST \0 PORT` and the point before it. When a peer comes or goes, only the keys
//! of its points move. With `hash_peers = "host"` the port is left out, so that rings of the same hosts are the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use alb_conf::HashPeers;

use super::slots::Slot;
use super::tried::Walk;
use crate::crc::CRC32;
use crate::upstream::PeerAddress;
use crate::upstream::peer::Peer;

const POINTS_PER_WEIGHT: i64 = 160;

/// Beyond this many points weights get fewer points each: memory for weights of 65535 would be out of proportion.
const MOST_POINTS: i64 = 1 << 20;

/// The points of a set of peers, in order.
pub(crate) struct Ring(Vec<Point>);

struct Point {
    hash: u32,
    peer: u32,
}

impl Ring {
    /// The ring of these peers; those that are down have their points, too.
    pub fn of(peers: &[Arc<Peer>], by: HashPeers) -> Self {
        let total: i64 = peers.iter().map(|peer| peer.weight()).sum();
        let each = POINTS_PER_WEIGHT.min(MOST_POINTS / total.max(1)).max(1);
        let mut points = Vec::new();
        let mut hosts = BTreeSet::new();
        for (index, peer) in (0..).zip(peers) {
            let (host, port) = named(peer.address());
            // Of several peers of one host, which service records may have, the others keep their ports.
            let alone = by == HashPeers::Host && hosts.insert(host.clone());
            let base = base(&host, if alone { "" } else { &port });
            let mut last = 0u32;
            for _ in 0..peer.weight() * each {
                last = !CRC32.update(base, last.to_le_bytes());
                points.push(Point {
                    hash: last,
                    peer: index,
                });
            }
        }
        points.sort_by_key(|point| point.hash);
        points.dedup_by_key(|point| point.hash);
        Ring(points)
    }

    /// The peer of a key; `None` where round robin decides: fewer than two peers, or too many of them in vain.
    pub(super) fn pick(
        &self,
        slots: &[Slot],
        key: &[u8],
        walk: &mut Walk,
        usable: impl Fn(&Peer) -> bool,
    ) -> Option<usize> {
        if slots.len() < 2 {
            return None;
        }
        let mut place = match walk.hash {
            Some(place) => place as usize,
            None => self.place(CRC32.check(key.iter().copied())),
        };
        while !walk.is_lost() {
            let index = self.0.get(place % self.0.len())?.peer as usize;
            walk.hash = u32::try_from(place).ok();
            if usable(&slots.get(index)?.peer) {
                return Some(index);
            }
            place += 1;
            walk.misses += 1;
        }
        None
    }

    fn place(&self, hash: u32) -> usize {
        self.0.partition_point(|point| point.hash < hash)
    }
}

/// Host and port as text; of a unix socket the path and no port.
fn named(address: &PeerAddress) -> (Vec<u8>, String) {
    match address {
        PeerAddress::Tcp(address) => {
            let text = address.to_string();
            let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
            (host.as_bytes().to_vec(), port.to_owned())
        }
        PeerAddress::Unix(path) => (path.as_os_str().as_encoded_bytes().to_vec(), String::new()),
    }
}

/// The unfinished CRC of a peer's name.
fn base(host: &[u8], port: &str) -> u32 {
    let name = host.iter().copied().chain([0]).chain(port.bytes());
    CRC32.update(u32::MAX, name)
}
