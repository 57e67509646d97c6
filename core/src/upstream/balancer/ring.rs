//! Consistent hashing on a ring of points (ketama), as nginx's `hash … consistent` and Cache::Memcached::Fast: 160 points
//! per unit of weight, each the CRC-32 of `HOST \0 PORT` and the point before it. When a peer comes or goes, only the keys
//! of its points move.

use std::sync::Arc;

use super::slots::Slot;
use super::tried::Walk;
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
    pub fn of(peers: &[Arc<Peer>]) -> Self {
        let total: i64 = peers.iter().map(|peer| peer.weight()).sum();
        let each = POINTS_PER_WEIGHT.min(MOST_POINTS / total.max(1)).max(1);
        let mut points = Vec::new();
        for (index, peer) in (0..).zip(peers) {
            let base = base(peer.address());
            let mut last = 0u32;
            for _ in 0..peer.weight() * each {
                last = !crc32(base, &last.to_le_bytes());
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
            None => self.place(!crc32(u32::MAX, key)),
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

/// The unfinished CRC of a peer's name.
fn base(address: &PeerAddress) -> u32 {
    let (host, port) = match address {
        PeerAddress::Tcp(address) => {
            let text = address.to_string();
            let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
            (host.as_bytes().to_vec(), port.to_owned())
        }
        PeerAddress::Unix(path) => (path.as_os_str().as_encoded_bytes().to_vec(), String::new()),
    };
    let named = crc32(u32::MAX, &host);
    crc32(crc32(named, &[0]), port.as_bytes())
}

/// Continues a CRC-32 (ISO 3309, reflected) over some bytes; begins with all ones, ends with the complement.
fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
    })
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xEDB8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
    #[test]
    fn crc_has_its_check_value() {
        assert_eq!(!crc32(u32::MAX, b"123456789"), 0xCBF4_3926);
    }
}
