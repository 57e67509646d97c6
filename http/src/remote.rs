//! Who a request is from: the connection's client, or whom a trusted proxy in front names in `X-Forwarded-For`.
//!
//! The one answer that access lists, limits, balancing, logs and the fields for the upstream rest on. What untrusted
//! clients say of themselves is never looked at.

use std::net::{IpAddr, SocketAddr};

use alb_core::access::AddressSet;
use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who a request is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// The client's address; never IPv4 written as IPv6.
    pub ip: IpAddr,
    /// A trusted proxy forwards the request: what it says of the client holds.
    pub by_proxy: bool,
}

impl Remote {
    /// Who a request with these fields is from, on a connection with `peer`.
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: Option<&AddressSet>) -> Self {
        let peer = peer.to_canonical();
        match trusted.filter(|trusted| trusted.contains(peer)) {
            None => Self {
                ip: peer,
                by_proxy: false,
            },
            Some(trusted) => Self {
                ip: first_untrusted(peer, headers, trusted),
                by_proxy: true,
            },
        }
    }
}

/// From right to left, as each proxy has appended whom it saw: the first address that is not a trusted proxy, else
/// the leftmost. What is no address ends the search (nginx's `real_ip_recursive on`).
fn first_untrusted(peer: IpAddr, headers: &HeaderMap, trusted: &AddressSet) -> IpAddr {
    let mut known = peer;
    for field in headers.get_all(X_FORWARDED_FOR).iter().rev() {
        for entry in field.as_bytes().rsplit(|byte| *byte == b',') {
            match address(entry) {
                Some(ip) => known = ip,
                None => return known,
            }
            if !trusted.contains(known) {
                return known;
            }
        }
    }
    known
}

/// An address with or without a port, IPv6 with or without brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry.trim_ascii()).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let ip: Option<IpAddr> = text.parse().ok();
    ip.or_else(with_port)
        .or_else(bracketed)
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use alb_conf::Prefix;

    use super::*;

    fn remote(peer: &str, fields: &[&str]) -> Remote {
        let trusted =
            ["10.0.0.0/8", "fd00::/8"].map(|prefix| prefix.parse::<Prefix>().expect("a prefix"));
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(X_FORWARDED_FOR, field.parse().expect("a value"));
        }
        let peer = peer.parse().expect("an address");
        Remote::of(peer, &headers, Some(&AddressSet::of(&trusted)))
    }

    #[test]
    fn an_untrusted_peer_speaks_for_itself_alone() {
        let asked = remote("192.0.2.1", &["198.51.100.7"]);
        assert_eq!(
            (asked.ip.to_string().as_str(), asked.by_proxy),
            ("192.0.2.1", false)
        );
        let mapped = remote("::ffff:192.0.2.1", &[]);
        assert_eq!(mapped.ip.to_string(), "192.0.2.1");
    }

    #[test]
    fn the_first_untrusted_address_from_the_right_is_the_client() {
        for (fields, client) in [
            (&["198.51.100.7"][..], "198.51.100.7"),
            // What the client wrote itself stands left of what the proxy saw.
            (&["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
            (
                &["127.0.0.1,198.51.100.7,10.1.1.1 , fd00::1"],
                "198.51.100.7",
            ),
            (&["127.0.0.1", "198.51.100.7", "10.1.1.1"], "198.51.100.7"),
            (&["198.51.100.7:4711"], "198.51.100.7"),
            (&["[2001:db8::7]:4711, 10.1.1.1"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["::ffff:198.51.100.7"], "198.51.100.7"),
            (&["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            (&["198.51.100.7, unknown, 10.2.2.2"], "10.2.2.2"),
            (&["unknown"], "10.0.0.5"),
            (&[""], "10.0.0.5"),
            (&[], "10.0.0.5"),
        ] {
            let asked = remote("10.0.0.5", fields);
            assert_eq!(asked.ip.to_string(), client, "{fields:?}");
            assert!(asked.by_proxy);
        }
    }
}
