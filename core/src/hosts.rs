//! What a host belongs to: exact, then the longest leading wildcard, then the longest trailing one, then the
//! site of every host, as nginx's `server_name`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::Ipv6Addr;

use foldhash::fast::RandomState;

/// Sites by host.
#[derive(Debug, Default)]
pub struct Hosts<T> {
    exact: HashMap<Box<str>, T, RandomState>,
    /// `*.example.cn` under `example.cn`.
    leading: HashMap<Box<str>, T, RandomState>,
    /// `www.example.*` under `www.example`.
    trailing: HashMap<Box<str>, T, RandomState>,
    default: Option<T>,
}

impl<T: Copy> Hosts<T> {
    /// Gives a host, or a wildcard, to a site. The first one keeps it.
    pub fn insert(&mut self, pattern: &str, site: T) {
        let pattern = normalise(pattern).into_owned();
        let (table, key) = if let Some(suffix) = pattern.strip_prefix("*.") {
            (&mut self.leading, suffix)
        } else if let Some(prefix) = pattern.strip_suffix(".*") {
            (&mut self.trailing, prefix)
        } else {
            (&mut self.exact, pattern.as_str())
        };
        table.entry(key.into()).or_insert(site);
    }

    /// Gives every host that no other site has to this one. The first one keeps them.
    pub fn insert_default(&mut self, site: T) {
        self.default.get_or_insert(site);
    }

    /// The site of a normalised host.
    pub fn find(&self, host: &str) -> Option<T> {
        if let Some(site) = self.exact.get(host) {
            return Some(*site);
        }
        let after_dot = |(at, _)| self.leading.get(&host[at + 1..]);
        let before_dot = |(at, _)| self.trailing.get(&host[..at]);
        let leading = || {
            if self.leading.is_empty() {
                None
            } else {
                host.match_indices('.').find_map(after_dot)
            }
        };
        let trailing = || {
            if self.trailing.is_empty() {
                None
            } else {
                host.rmatch_indices('.').find_map(before_dot)
            }
        };
        leading().or_else(trailing).copied().or(self.default)
    }
}

/// A host as it is compared: without port and trailing dot, in lower case, IPv6 literals in their canonical form.
pub fn normalise(host: &str) -> Cow<'_, str> {
    if let Some(literal) = host.strip_prefix('[') {
        let inside = literal.split(']').next().unwrap_or_default();
        return match inside.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]").into(),
            Err(_) => host.to_ascii_lowercase().into(),
        };
    }
    let name = host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        name.to_ascii_lowercase().into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts<u8> {
        let mut hosts = Hosts::default();
        for (pattern, site) in [
            ("example.cn", 1),
            ("*.example.cn", 2),
            ("*.a.example.cn", 3),
            ("www.*", 4),
            ("[::1]", 5),
            ("www.b.*", 6),
        ] {
            hosts.insert(pattern, site);
        }
        hosts
    }

    #[test]
    fn the_most_specific_site_wins_in_nginx_order() {
        for (host, site) in [
            ("example.cn", Some(1)),
            ("www.example.cn", Some(2)),
            ("x.a.example.cn", Some(3)),
            ("a.example.cn", Some(2)),
            ("www.example.com", Some(4)),
            ("www.b.com", Some(6)),
            ("www.b.co.uk", Some(6)),
            ("other.org", None),
        ] {
            assert_eq!(hosts().find(host), site, "{host}");
        }
    }

    #[test]
    fn the_default_takes_the_rest() {
        let mut hosts = hosts();
        hosts.insert_default(9);
        assert_eq!(hosts.find("other.org"), Some(9));
        assert_eq!(hosts.find(""), Some(9));
    }

    #[test]
    fn hosts_are_compared_without_port_case_dot_and_spelling_of_ipv6() {
        for (written, compared) in [
            ("Example.CN:8443", "example.cn"),
            ("example.cn.", "example.cn"),
            ("example.cn.:80", "example.cn"),
            ("[0:0:0:0:0:0:0:1]:80", "[::1]"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("10.0.0.1:80", "10.0.0.1"),
        ] {
            assert_eq!(normalise(written), compared);
        }
    }
}
