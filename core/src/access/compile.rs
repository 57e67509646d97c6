//! From ordered rules to the addresses they deny: one pass over the places where a rule begins or ends.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alb_conf::{AccessVerdict, Prefix};

use super::edges::Bits;

/// A rule: the addresses from the first to the last, of one family.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub first: IpAddr,
    pub last: IpAddr,
    pub verdict: AccessVerdict,
}

impl Rule {
    /// The rule for a prefix.
    pub fn new(prefix: &Prefix, verdict: AccessVerdict) -> Self {
        let (first, last) = prefix.range();
        Self {
            first,
            last,
            verdict,
        }
    }

    /// The rules for all addresses.
    pub fn for_all(verdict: AccessVerdict) -> [Self; 2] {
        [
            Self {
                first: Ipv4Addr::from_bits(0).into(),
                last: Ipv4Addr::from_bits(u32::MAX).into(),
                verdict,
            },
            Self {
                first: Ipv6Addr::from_bits(0).into(),
                last: Ipv6Addr::from_bits(u128::MAX).into(),
                verdict,
            },
        ]
    }
}

/// A rule of one family: first, last, verdict.
pub type Span<T> = (T, T, AccessVerdict);

/// The edges of what is denied by these rules, of which the first that matches decides.
pub fn denied<T: Bits>(rules: &[Span<T>]) -> Vec<T> {
    let begins = rules.iter().map(|rule| Some(rule.0)).enumerate();
    let ends = rules.iter().map(|rule| rule.1.next()).enumerate();
    let mut changes: Vec<(T, usize)> = begins
        .chain(ends)
        .filter_map(|(rule, at)| Some((at?, rule)))
        .collect();
    changes.sort_unstable();

    let mut edges = Vec::new();
    let mut open = BTreeSet::new();
    let mut is_denied = false;
    let mut rest = &changes[..];
    while let [(at, _), ..] = rest {
        let here = rest.partition_point(|(other, _)| other <= at);
        for (_, rule) in &rest[..here] {
            // A rule comes by twice: where it begins and behind its end.
            if !open.insert(*rule) {
                open.remove(rule);
            }
        }
        let decides = open.first().map(|rule| rules[*rule].2);
        if is_denied != (decides == Some(AccessVerdict::Deny)) {
            is_denied = !is_denied;
            edges.push(*at);
        }
        rest = &rest[here..];
    }
    edges
}
