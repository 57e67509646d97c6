//! Who is let in, by address: `[access.NAME]` as it is asked on every connection and request.
//!
//! Owns the lists and their files. It must not know where an address comes from: a socket, a PROXY header or a header
//! field of HTTP is the caller's business.

mod compile;
mod edges;
mod file;
mod set;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use alb_conf::{AccessVerdict, Diagnostic, Spanned};

use compile::Rule;
pub use set::AddressSet;

/// The access lists of a configuration, by name.
pub type Lists = BTreeMap<String, Arc<AccessList>>;

/// The list that a listener, a site or a route names, if it names one. One that could not be built has been reported.
pub fn find(lists: &Lists, name: Option<&Spanned<String>>) -> Option<Arc<AccessList>> {
    name.and_then(|name| lists.get(name.as_str())).cloned()
}

/// An access list, immutable. 100,000 prefixes cost one megabyte (IPv4) to six, and a question some tens of
/// nanoseconds.
#[derive(Debug)]
pub struct AccessList {
    name: Arc<str>,
    denied: AddressSet,
}

impl AccessList {
    /// Reads the files of the list with this name and compiles it.
    ///
    /// # Errors
    ///
    /// Each file that cannot be read, and each line of one that is neither an address nor a prefix.
    pub fn build(name: &str, written: &alb_conf::Access) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let mut rules = Vec::new();
        for path in &written.files {
            match file::read(path) {
                Ok(prefixes) => {
                    rules.extend(prefixes.iter().map(|p| Rule::new(p, AccessVerdict::Deny)));
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        for rule in &written.rules {
            match &rule.who {
                Some(prefix) => rules.push(Rule::new(prefix, rule.verdict)),
                None => rules.extend(Rule::for_all(rule.verdict)),
            }
        }
        Ok(Self {
            name: name.into(),
            denied: AddressSet::denied_by(&rules),
        })
    }

    /// Whether a client with this address is let in. IPv4 written as IPv6 (`::ffff:10.0.0.1`) is IPv4.
    #[inline]
    pub fn permits(&self, ip: IpAddr) -> bool {
        !self.denied.contains(ip)
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of memory it takes.
    pub fn memory(&self) -> usize {
        self.denied.memory()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use alb_conf::{Access, AccessRule, Prefix};
    use proptest::prelude::*;

    use super::*;

    fn list(rules: &[&str], files: &[&std::path::Path]) -> Result<AccessList, Vec<Diagnostic>> {
        let rule = |text: &&str| text.parse::<AccessRule>().expect("a rule").into();
        AccessList::build(
            "list",
            &Access {
                rules: rules.iter().map(rule).collect(),
                files: files.iter().map(|path| path.to_path_buf().into()).collect(),
            },
        )
    }

    fn permits(list: &AccessList, ip: &str) -> bool {
        list.permits(ip.parse().expect("an address"))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        file
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let office = list(
            &[
                "deny 10.9.9.9",
                "allow 10.0.0.0/8",
                "allow 2001:db8::/32",
                "deny all",
            ],
            &[],
        )
        .expect("a list");
        for (ip, let_in) in [
            ("10.9.9.8", true),
            ("10.9.9.9", false),
            ("::ffff:10.9.9.9", false),
            ("::ffff:10.1.1.1", true),
            ("9.255.255.255", false),
            ("11.0.0.0", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
            ("::1", false),
        ] {
            assert_eq!(permits(&office, ip), let_in, "{ip}");
        }
    }

    #[test]
    fn whom_no_rule_matches_is_let_in() {
        let list = list(&["deny 0.0.0.0/1", "deny ffff::/16"], &[]).expect("a list");
        assert!(!permits(&list, "127.255.255.255"));
        assert!(permits(&list, "128.0.0.0"));
        assert!(permits(&list, "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
        assert!(!permits(&list, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    }

    #[test]
    fn files_are_denied_before_the_rules() {
        let blocked = file("# a comment\n\n10.1.0.0/16 ; why\r\n  2001:db8:1::/48\n10.2.3.4#x\n");
        let list = list(&["allow all"], &[blocked.path()]).expect("a list");
        for (ip, let_in) in [
            ("10.1.2.3", false),
            ("10.2.3.4", false),
            ("10.2.3.5", true),
            ("2001:db8:1::1", false),
            ("2001:db8:2::1", true),
        ] {
            assert_eq!(permits(&list, ip), let_in, "{ip}");
        }
    }

    #[test]
    fn every_bad_line_of_every_file_is_named() {
        let one = file("10.0.0.1\n10.0.0.0/33\n\nexample.cn\n");
        let other = file("10.0.0.1 10.0.0.2");
        let problems = list(&[], &[one.path(), other.path()]).expect_err("bad lines");
        let said: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            said,
            [
                format!(
                    "{}:2: `10.0.0.0/33`: a prefix here has 0 to 32 bits",
                    one.path().display()
                ),
                format!(
                    "{}:4: `example.cn` is not an address or a prefix, such as `10.0.0.0/8` or `2001:db8::/32`",
                    one.path().display()
                ),
                format!(
                    "{}:1: `10.0.0.1 10.0.0.2` is not an address or a prefix, such as `10.0.0.0/8` or `2001:db8::/32`",
                    other.path().display()
                ),
            ]
        );
    }

    #[test]
    fn a_file_of_nonsense_is_reported_in_few_words() {
        let nonsense = file(&"\u{fffd}\n".repeat(1000));
        let problems = list(&[], &[nonsense.path()]).expect_err("bad lines");
        assert_eq!(problems.len(), 11);
        assert!(
            problems[10].message.ends_with("990 more lines are bad"),
            "{problems:?}"
        );
    }

    /// What a list means, in the plainest words.
    fn naive(rules: &[AccessRule], ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let matches = |prefix: &Prefix| {
            let (first, last) = prefix.range();
            first.is_ipv4() == ip.is_ipv4() && first <= ip && ip <= last
        };
        let first = rules
            .iter()
            .find(|rule| rule.who.as_ref().is_none_or(matches));
        first.is_none_or(|rule| rule.verdict == AccessVerdict::Allow)
    }

    /// Addresses that differ in few bits, so that prefixes nest and touch.
    fn address() -> impl Strategy<Value = IpAddr> {
        (0..9u8, any::<u128>()).prop_map(|(kind, random)| {
            let crowded = random
                .to_be_bytes()
                .map(|byte| [0, 1, 127, 128, 255][usize::from(byte % 5)]);
            let [a, b, c, d, ..] = crowded;
            match kind {
                0..4 => IpAddr::from([a, b, c, d]),
                4..8 => IpAddr::from(crowded),
                _ => std::net::Ipv4Addr::new(a, b, c, d).to_ipv6_mapped().into(),
            }
        })
    }

    fn rule() -> impl Strategy<Value = AccessRule> {
        let verdict = prop_oneof![Just(AccessVerdict::Allow), Just(AccessVerdict::Deny)];
        let prefix = (address(), 0..=128u8).prop_map(|(address, length)| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            Prefix::new(address, length.min(most))
        });
        let who = prop_oneof![20 => prefix, 1 => Just(None)];
        (verdict, who).prop_map(|(verdict, who)| AccessRule { verdict, who })
    }

    proptest! {
        #[test]
        fn a_list_means_what_its_rules_say(
            rules in proptest::collection::vec(rule(), 0..40),
            others in proptest::collection::vec(address(), 20),
        ) {
            let written = Access {
                rules: rules.iter().map(|rule| (*rule).into()).collect(),
                files: Vec::new(),
            };
            let list = AccessList::build("list", &written).expect("a list");
            let ends = rules.iter().filter_map(|rule| rule.who).flat_map(|who| {
                let (first, last) = who.range();
                [Some(first), before(first), Some(last), after(last)]
            });
            for ip in others.into_iter().chain(ends.flatten()) {
                prop_assert_eq!(list.permits(ip), naive(&rules, ip), "{} by {:?}", ip, rules);
            }
        }
    }

    fn before(ip: IpAddr) -> Option<IpAddr> {
        match ip {
            IpAddr::V4(ip) => Some(IpAddr::V4(ip.to_bits().checked_sub(1)?.into())),
            IpAddr::V6(ip) => Some(IpAddr::V6(ip.to_bits().checked_sub(1)?.into())),
        }
    }

    fn after(ip: IpAddr) -> Option<IpAddr> {
        match ip {
            IpAddr::V4(ip) => Some(IpAddr::V4(ip.to_bits().checked_add(1)?.into())),
            IpAddr::V6(ip) => Some(IpAddr::V6(ip.to_bits().checked_add(1)?.into())),
        }
    }
}
