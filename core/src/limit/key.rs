//! What is counted apart: from the sources of a key to the 128 bits a table tells keys apart by.
//!
//! One address is stored as it is, so two addresses never share a count. Anything else is stored as a keyed hash of
//! 128 bits: with a million keys, the chance that any two share one is below 10⁻²⁶. Which part of a table a key goes
//! to is a keyed hash (SipHash) with a random seed, so nobody can aim at a part.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

pub use alb_conf::KeySource;

/// What a limit may ask about a request or a session.
pub trait Keys {
    /// The client's address.
    fn client_ip(&self) -> IpAddr;

    /// What this source says, but for [`KeySource::All`] and [`KeySource::ClientIp`]; `None` and nothing at all mean
    /// that the limit does not apply.
    fn value(&self, source: &KeySource) -> Option<Cow<'_, [u8]>>;
}

/// Leading bits of an address whose keys share a count when a table has no room: one network each.
const NETWORK_V4: u8 = 24;
const NETWORK_V6: u8 = 48;

/// A key as tables know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The key itself; never 0.
    pub(super) id: u128,
    /// Where to look for it.
    pub(super) place: u64,
    /// Where it is counted when there is no room: by the client's network.
    pub(super) network: u64,
}

/// The seeds of a limiter; they stay across reloads with its tables.
#[derive(Clone, Debug, Default)]
pub(super) struct Seeds([RandomState; 2]);

impl Seeds {
    /// The key of these sources; `None` if all are empty.
    pub(super) fn key(&self, sources: &[KeySource], keys: &dyn Keys) -> Option<Key> {
        let client = keys.client_ip();
        match sources {
            [KeySource::All] => Some(self.of_id(1, client)),
            [KeySource::ClientIp { v4, v6 }] => Some(self.of_client(client, *v4, *v6)),
            sources => self.of_values(sources, keys, client),
        }
    }

    /// The key of a client's address, or so many leading bits of it.
    pub(super) fn of_client(&self, client: IpAddr, v4: u8, v6: u8) -> Key {
        self.of_id(prefix(client, v4, v6), client)
    }

    /// The key of a text that `client` sent.
    pub(super) fn of_text(&self, text: &[u8], client: IpAddr) -> Key {
        let [one, two] = [&self.0[0], &self.0[1]].map(|seed| seed.hash_one(text));
        Key {
            id: ((u128::from(one) << 64) | u128::from(two)).max(1),
            place: one,
            network: network(client),
        }
    }

    /// A number by which two texts can be held equal, and from which neither can be told.
    pub(super) fn mark(&self, texts: [&[u8]; 2]) -> u32 {
        self.0[0].hash_one(texts) as u32
    }

    fn of_id(&self, id: u128, client: IpAddr) -> Key {
        let id = id.max(1);
        Key {
            id,
            place: self.0[0].hash_one(id),
            network: network(client),
        }
    }

    /// Several values are told apart by their lengths: ("ab", "c") is not ("a", "bc").
    fn of_values(&self, sources: &[KeySource], keys: &dyn Keys, client: IpAddr) -> Option<Key> {
        let mut hashers = [self.0[0].build_hasher(), self.0[1].build_hasher()];
        let mut any = false;
        for source in sources {
            let value = value(source, keys, client).unwrap_or_default();
            any |= !value.is_empty();
            for hasher in &mut hashers {
                hasher.write_usize(value.len());
                hasher.write(&value);
            }
        }
        let [one, two] = hashers.map(|hasher| hasher.finish());
        any.then(|| Key {
            id: ((u128::from(one) << 64) | u128::from(two)).max(1),
            place: one,
            network: network(client),
        })
    }
}

fn value<'k>(source: &KeySource, keys: &'k dyn Keys, client: IpAddr) -> Option<Cow<'k, [u8]>> {
    match source {
        KeySource::All => None,
        KeySource::ClientIp { v4, v6 } => {
            let address = prefix(client, *v4, *v6).to_be_bytes();
            Some(Cow::Owned(address.to_vec()))
        }
        other => keys.value(other),
    }
}

/// The leading bits of an address, IPv4 as mapped into IPv6, the others 0.
fn prefix(address: IpAddr, v4: u8, v6: u8) -> u128 {
    let (bits, kept) = match address.to_canonical() {
        IpAddr::V4(v4_address) => (v4_address.to_ipv6_mapped(), 96 + u32::from(v4.min(32))),
        IpAddr::V6(v6_address) => (v6_address, u32::from(v6.min(128))),
    };
    let mask = u128::MAX.checked_shl(128 - kept).unwrap_or_default();
    Ipv6Addr::to_bits(bits) & mask
}

/// A number for the client's network. Not secret: whoever shares a network may know it.
fn network(client: IpAddr) -> u64 {
    let bits = prefix(client, NETWORK_V4, NETWORK_V6);
    let folded = (bits >> 64) as u64 ^ bits as u64;
    // Fibonacci hashing: spreads the bits that differ over the high ones.
    folded.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client(IpAddr, Option<&'static str>);

    impl Keys for Client {
        fn client_ip(&self) -> IpAddr {
            self.0
        }

        fn value(&self, source: &KeySource) -> Option<Cow<'_, [u8]>> {
            assert_eq!(*source, KeySource::Server);
            self.1.map(|text| text.as_bytes().into())
        }
    }

    fn id(key: &str, address: &str, server: Option<&'static str>, seeds: &Seeds) -> Option<u128> {
        let key: alb_conf::LimitKey = key.parse().expect(key);
        let client = Client(address.parse().expect(address), server);
        seeds.key(key.sources(), &client).map(|key| key.id)
    }

    #[test]
    fn addresses_share_a_count_by_prefix_only() {
        let seeds = Seeds::default();
        let same = |key, one, two| id(key, one, None, &seeds) == id(key, two, None, &seeds);
        assert!(same("client_ip", "10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("client_ip", "10.0.0.1", "10.0.0.2"));
        assert!(same("client_ip/24/64", "10.0.0.1", "10.0.0.255"));
        assert!(!same("client_ip/24/64", "10.0.0.1", "10.0.1.1"));
        assert!(same("client_ip/24/64", "2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("client_ip/24/64", "2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("all", "10.0.0.1", "2001:db8::1"));
    }

    #[test]
    fn an_empty_key_is_none_and_values_keep_their_limits() {
        let seeds = Seeds::default();
        let of = |key, server| id(key, "10.0.0.1", server, &seeds);
        assert_eq!(of("server", None), None);
        assert_eq!(of("server", Some("")), None);
        assert_ne!(of("server", Some("a")), of("server", Some("b")));
        // As nginx's `$binary_remote_addr$host`: one of them is enough.
        assert!(of("client_ip, server", None).is_some());
        assert_ne!(of("server, server", Some("aa")), of("server", Some("aaaa")));
    }
}
