//! The user's name within names and filters of a directory, escaped so that it stays a value.

use ldap3::{dn_escape, ldap_escape};

use crate::auth::users::User;

/// A distinguished name from a template (RFC 4514 § 2.4 escapes values).
pub fn bind_dn(template: &str, user: &User) -> String {
    fill(template, user, |value| {
        dn_escape(value.to_owned()).into_owned()
    })
}

/// A filter from a template (RFC 4515 § 3 escapes values).
pub fn filter(template: &str, user: &User) -> String {
    fill(template, user, |value| {
        ldap_escape(value.to_owned()).into_owned()
    })
}

/// Puts the values in, in one pass: a placeholder within a value stays what it is.
fn fill(template: &str, user: &User, escape: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() + user.full.len());
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let values = [
            ("{user}", user.full.as_str()),
            ("{local}", user.local()),
            ("{domain}", user.domain()),
        ];
        match values.iter().find(|(name, _)| rest.starts_with(name)) {
            Some((name, value)) => {
                filled.push_str(&escape(value));
                rest = &rest[name.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(full: &str) -> User {
        User {
            full: full.to_owned(),
            ..User::default()
        }
    }

    #[test]
    fn parts_of_the_name_are_put_in() {
        let zhang = user("zhang@example.cn");
        assert_eq!(
            bind_dn("uid={local},ou={domain},dc=x", &zhang),
            "uid=zhang,ou=example.cn,dc=x"
        );
        assert_eq!(
            filter("(|(mail={user})(x={y}))", &zhang),
            "(|(mail=zhang@example.cn)(x={y}))"
        );
    }

    #[test]
    fn a_name_stays_a_value() {
        let evil = user("*)(uid=root");
        assert_eq!(filter("(uid={user})", &evil), "(uid=\\2a\\29\\28uid=root)");
        let evil = user("a,ou=admins+x");
        let dn = bind_dn("uid={user},dc=x", &evil);
        assert!(!dn.contains("a,ou"), "{dn}");
        let evil = user("{domain}@d");
        assert_eq!(filter("({user})", &evil), "({domain}@d)");
    }
}
