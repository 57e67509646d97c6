//! ip_hash, bit for bit as nginx's `ngx_http_upstream_ip_hash_module`: the first three bytes of an IPv4 address, all of an
//! IPv6 address; a peer that cannot be used is passed over by hashing on.

use std::net::IpAddr;

use super::slots::Slot;
use super::tried::Walk;
use crate::upstream::peer::Peer;

const SEED: u32 = 89;
const FACTOR: u32 = 113;
const MODULUS: u32 = 6271;

/// The peer of a client; `None` where round robin decides: fewer than two peers, or too many of them in vain. Peers that
/// are down keep their place, so that the clients of others stay where they are.
pub(super) fn pick(
    slots: &[Slot],
    client: IpAddr,
    walk: &mut Walk,
    usable: impl Fn(&Peer) -> bool,
) -> Option<usize> {
    let total: i64 = slots.iter().map(|slot| slot.peer.weight()).sum();
    if slots.len() < 2 || total <= 0 {
        return None;
    }
    let mut hash = walk.hash.unwrap_or(SEED);
    while !walk.is_lost() {
        hash = hash_on(hash, client);
        let index = by_weight(slots, i64::from(hash) % total)?;
        if usable(&slots[index].peer) {
            walk.hash = Some(hash);
            return Some(index);
        }
        walk.misses += 1;
    }
    None
}

fn hash_on(hash: u32, client: IpAddr) -> u32 {
    let step = |hash: u32, byte: &u8| (hash * FACTOR + u32::from(*byte)) % MODULUS;
    match client.to_canonical() {
        IpAddr::V4(v4) => v4.octets()[..3].iter().fold(hash, step),
        IpAddr::V6(v6) => v6.octets().iter().fold(hash, step),
    }
}

fn by_weight(slots: &[Slot], mut point: i64) -> Option<usize> {
    slots.iter().position(|slot| {
        let here = point < slot.peer.weight();
        point -= slot.peer.weight();
        here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values computed by hand with nginx's formula.
    #[test]
    fn only_the_network_of_an_ipv4_address_counts() {
        let hash = |text: &str| hash_on(SEED, text.parse().expect("an address"));
        let by_hand = (((89 * 113 + 10) % 6271 * 113 + 1) % 6271 * 113 + 2) % 6271;
        assert_eq!(hash("10.1.2.3"), by_hand);
        assert_eq!(hash("10.1.2.200"), hash("10.1.2.3"));
        assert_eq!(hash("::ffff:10.1.2.9"), by_hand);
        assert_ne!(hash("2001:db8::1"), hash("2001:db8::2"));
    }
}
