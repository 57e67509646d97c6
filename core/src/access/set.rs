//! A set of addresses of both families.

use std::net::IpAddr;

use alb_conf::{AccessVerdict, Prefix};

use super::compile::{Rule, Span, denied};
use super::edges::Edges;

/// A set of addresses.
#[derive(Debug, Default)]
pub struct AddressSet {
    v4: Edges<u32>,
    v6: Edges<u128>,
}

impl AddressSet {
    /// The addresses of these prefixes.
    pub fn of<'p>(prefixes: impl IntoIterator<Item = &'p Prefix>) -> Self {
        let rules: Vec<Rule> = prefixes
            .into_iter()
            .map(|prefix| Rule::new(prefix, AccessVerdict::Deny))
            .collect();
        Self::denied_by(&rules)
    }

    /// The addresses that these rules deny, of which the first that matches decides.
    pub(super) fn denied_by(rules: &[Rule]) -> Self {
        let v4: Vec<Span<u32>> = rules
            .iter()
            .filter_map(|rule| match (rule.first, rule.last) {
                (IpAddr::V4(first), IpAddr::V4(last)) => {
                    Some((first.to_bits(), last.to_bits(), rule.verdict))
                }
                _ => None,
            })
            .collect();
        let v6: Vec<Span<u128>> = rules
            .iter()
            .filter_map(|rule| match (rule.first, rule.last) {
                (IpAddr::V6(first), IpAddr::V6(last)) => {
                    Some((first.to_bits(), last.to_bits(), rule.verdict))
                }
                _ => None,
            })
            .collect();
        Self {
            v4: Edges::new(denied(&v4)),
            v6: Edges::new(denied(&v6)),
        }
    }

    /// Whether an address is in it. IPv4 written as IPv6 is IPv4.
    #[inline]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.contains(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.contains(ip.to_bits()),
        }
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        self.v4.memory() + self.v6.memory()
    }
}
