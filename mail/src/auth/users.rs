//! The names of users, and where their mailboxes are. A name is normalised once, here.

use std::collections::HashMap;
use std::sync::Arc;

/// A user's name, normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The whole name.
    pub full: String,
    /// Whether a master user logs in for this one; the name is then the one before the separator.
    pub through_master: bool,
}

/// How names are normalised, and which upstreams they lead to.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Whether the part before `@` is the same in either case.
    pub lowercase_users: bool,
    /// What parts a user's name from that of the master user.
    pub master_separator: Option<char>,
    /// Upstreams by normalised user.
    pub by_user: HashMap<String, Arc<str>>,
    /// Upstreams by domain in lower case.
    pub by_domain: HashMap<String, Arc<str>>,
}

impl User {
    /// The part before the last `@`; all of it without one.
    pub fn local(&self) -> &str {
        self.full
            .rsplit_once('@')
            .map_or(&self.full, |(local, _)| local)
    }

    /// The part behind the last `@`; empty without one.
    pub fn domain(&self) -> &str {
        self.full.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl Users {
    /// The user that a name as sent stands for. `DOMAIN\user\mailbox` of Exchange stays whole.
    pub fn user(&self, sent: &str) -> User {
        let parted = self
            .master_separator
            .and_then(|separator| sent.split_once(separator));
        let (name, through_master) = match parted {
            Some((user, master)) if !user.is_empty() && !master.is_empty() => (user, true),
            _ => (sent, false),
        };
        User {
            full: self.normalised(name),
            through_master,
        }
    }

    fn normalised(&self, name: &str) -> String {
        // The domain with its `@`.
        let (local, domain) = name.split_at(name.rfind('@').unwrap_or(name.len()));
        let mut full = String::with_capacity(name.len());
        match self.lowercase_users {
            true => full += &local.to_lowercase(),
            false => full += local,
        }
        let behind = full.len();
        full += domain;
        full[behind..].make_ascii_lowercase();
        full
    }

    /// The upstream of a normalised user: its own, or that of its domain.
    pub fn upstream(&self, user: &str) -> Option<Arc<str>> {
        let by_user = self.by_user.get(user);
        let domain = || user.rsplit_once('@').map(|(_, domain)| domain);
        by_user.or_else(|| self.by_domain.get(domain()?)).cloned()
    }

    /// The upstream of a domain.
    pub fn upstream_of_domain(&self, domain: &str) -> Option<Arc<str>> {
        self.by_domain.get(&domain.to_ascii_lowercase()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(users: &Users, sent: &str) -> String {
        users.user(sent).full
    }

    #[test]
    fn the_domain_is_the_same_in_either_case() {
        let users = Users::default();
        assert_eq!(full(&users, "Zhang@Example.CN"), "Zhang@example.cn");
        assert_eq!(full(&users, "a@b@Example.CN"), "a@b@example.cn");
        assert_eq!(full(&users, "CORP\\Zhang\\Shared"), "CORP\\Zhang\\Shared");
        let users = Users {
            lowercase_users: true,
            ..Users::default()
        };
        assert_eq!(full(&users, "Zhang@Example.CN"), "zhang@example.cn");
    }

    #[test]
    fn a_master_user_logs_in_for_the_one_before_the_separator() {
        let users = Users {
            master_separator: Some('*'),
            ..Users::default()
        };
        let user = users.user("zhang@Example.cn*admin");
        assert_eq!(
            (user.full.as_str(), user.through_master),
            ("zhang@example.cn", true)
        );
        for whole in ["zhang*", "*admin", "zhang"] {
            assert!(!users.user(whole).through_master, "{whole}");
        }
        assert!(!Users::default().user("a*b").through_master);
    }

    #[test]
    fn the_user_goes_before_the_domain() {
        let users = Users {
            by_user: HashMap::from([("a@x.cn".to_owned(), "first".into())]),
            by_domain: HashMap::from([("x.cn".to_owned(), "second".into())]),
            ..Users::default()
        };
        let upstream = |sent| users.upstream(&users.user(sent).full);
        assert_eq!(upstream("a@X.cn").as_deref(), Some("first"));
        assert_eq!(upstream("b@x.cn").as_deref(), Some("second"));
        assert_eq!(upstream("b@y.cn"), None);
        assert_eq!(upstream("b"), None);
    }
}
