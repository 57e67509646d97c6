//! A file of users: lines `KEY VERIFIER [UPSTREAM]`, where KEY is a user, `@domain` or `*`. Read once for each
//! configuration, so that a reload takes it over as a whole or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::blocking::Blocking;
use super::decision::{Accepted, Decision};
use super::users::{User, Users};
use super::verifier::Verifier;
use crate::sasl::{Proof, apop_matches, cram_md5_matches};

/// The key of everybody who has no other.
const EVERYBODY: &str = "*";

/// How long a password may wait for its turn to be checked.
const PATIENCE: Duration = Duration::from_secs(30);

/// The users of a file.
pub struct FileSource {
    entries: HashMap<String, Entry>,
    /// What is computed for users that are not there, so that their absence takes as long as a wrong password.
    dummy: Arc<Verifier>,
    blocking: Blocking,
}

/// A line of the file.
#[derive(Debug)]
pub struct Entry {
    /// User, `@domain` or `*`, normalised.
    pub key: String,
    /// What is kept of the password.
    pub verifier: Verifier,
    /// The upstream of the mailbox.
    pub upstream: Option<String>,
}

struct Found {
    verifier: Arc<Verifier>,
    upstream: Option<Arc<str>>,
}

impl FileSource {
    /// A source of these entries. The dearest verifier is the one computed for unknown users; a file without any has a
    /// cheap one, and nobody to hide.
    pub fn new(entries: Vec<Entry>) -> Self {
        let verifiers = entries.iter().map(|entry| &entry.verifier);
        let dearest = verifiers.max_by_key(|verifier| verifier.cost()).cloned();
        let dummy = dearest.unwrap_or(Verifier::Clear(crate::secret::Secret::default()));
        let entries = entries.into_iter().map(|entry| (entry.key.clone(), entry));
        FileSource {
            entries: entries.collect(),
            dummy: Arc::new(dummy),
            blocking: Blocking::new(),
        }
    }

    /// Checks a proof of a user; `accepted` is who comes in if it is right.
    pub async fn decide(&self, proof: &Proof, user: &User, mut accepted: Accepted) -> Decision {
        let found = self.find(user);
        let right = match proof {
            Proof::Password(password) => {
                let verifier = found.as_ref().map_or(&self.dummy, |found| &found.verifier);
                let (verifier, password) = (Arc::clone(verifier), password.clone());
                let verify = move || verifier.verify(password.as_bytes());
                match timeout(PATIENCE, self.blocking.run(verify)).await {
                    Ok(Some(right)) => right,
                    Ok(None) => return Decision::unavailable("the password could not be checked"),
                    Err(_) => return Decision::unavailable("too many passwords are being checked"),
                }
            }
            Proof::CramMd5 { challenge, digest } => found.as_ref().is_some_and(|found| {
                let clear = found.verifier.clear();
                clear.is_some_and(|clear| cram_md5_matches(challenge, digest, clear.as_bytes()))
            }),
            Proof::Apop { challenge, digest } => found.as_ref().is_some_and(|found| {
                let clear = found.verifier.clear();
                clear.is_some_and(|clear| apop_matches(challenge, digest, clear.as_bytes()))
            }),
            _ => return Decision::unavailable("a file cannot check this mechanism"),
        };
        let Some(found) = found.filter(|_| right) else {
            return Decision::wrong();
        };
        accepted.upstream = found.upstream;
        // The server wants a password where the client has sent a digest.
        accepted.password = found.verifier.clear().cloned();
        Decision::Accept(accepted)
    }

    fn find(&self, user: &User) -> Option<Found> {
        let domain = format!("@{}", user.domain());
        let keys = [user.full.as_str(), domain.as_str(), EVERYBODY];
        // A user may not have a name that is another kind of key.
        let odd = user.full.starts_with('@') || user.full == EVERYBODY;
        let entry = keys
            .iter()
            .find_map(|key| self.entries.get(*key))
            .filter(|_| !odd)?;
        Some(Found {
            verifier: Arc::new(entry.verifier.clone()),
            upstream: entry.upstream.as_deref().map(Arc::from),
        })
    }
}

/// Reads the lines of a file of users. Names are normalised by `users`.
///
/// # Errors
///
/// What is wrong with which lines, counted from 1. Verifiers are not repeated.
pub fn parse(text: &str, users: &Users) -> Result<Vec<Entry>, Vec<(usize, String)>> {
    let (mut entries, mut wrong) = (Vec::<Entry>::new(), Vec::new());
    let mut seen = HashMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match entry(line, users) {
            Ok(entry) => {
                if let Some(first) = seen.insert(entry.key.clone(), number) {
                    wrong.push((
                        number,
                        format!("`{}` is there already, in line {first}", entry.key),
                    ));
                }
                entries.push(entry);
            }
            Err(reason) => wrong.push((number, reason)),
        }
    }
    match wrong.is_empty() {
        true => Ok(entries),
        false => Err(wrong),
    }
}

fn entry(line: &str, users: &Users) -> Result<Entry, String> {
    let mut words = line.split_ascii_whitespace();
    let (Some(key), Some(verifier)) = (words.next(), words.next()) else {
        return Err("expected `KEY VERIFIER [UPSTREAM]`".into());
    };
    let upstream = words.next().map(str::to_owned);
    if words.next().is_some() {
        return Err("more than `KEY VERIFIER [UPSTREAM]`".into());
    }
    let key = match key.strip_prefix('@') {
        Some(domain) => format!("@{}", domain.to_ascii_lowercase()),
        None if key == EVERYBODY => key.to_owned(),
        None => users.user(key).full,
    };
    Ok(Entry {
        key,
        verifier: Verifier::parse(verifier)?,
        upstream,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::Credentials;

    const FILE: &str = "# users\n\
        zhang@Example.cn {PLAIN}tanstaaftanstaaf archive\n\
        @example.cn {PLAIN}domain\n\
        \n\
        * {PLAIN}any\n";

    async fn decide(file: &str, user: &str, password: &str) -> Decision {
        let users = Users::default();
        let source = FileSource::new(parse(file, &users).expect("a file"));
        let credentials =
            Credentials::password(user.as_bytes(), password.as_bytes()).expect("credentials");
        let user = users.user(user);
        let accepted = Accepted::new(&user.full, &user.full, "file");
        source.decide(&credentials.proof, &user, accepted).await
    }

    fn accepted(decision: Decision) -> Option<Option<String>> {
        match decision {
            Decision::Accept(accepted) => Some(accepted.upstream.map(|name| name.to_string())),
            Decision::Refuse(refusal) => {
                assert!(refusal.rejected);
                None
            }
            Decision::Unavailable { reason } => panic!("{reason}"),
        }
    }

    #[tokio::test]
    async fn the_user_goes_before_the_domain_and_that_before_everybody() {
        let try_one = async |user, password| accepted(decide(FILE, user, password).await);
        assert_eq!(
            try_one("zhang@EXAMPLE.cn", "tanstaaftanstaaf").await,
            Some(Some("archive".into()))
        );
        assert_eq!(try_one("zhang@example.cn", "domain").await, None);
        assert_eq!(try_one("li@example.cn", "domain").await, Some(None));
        assert_eq!(try_one("li@other.cn", "any").await, Some(None));
        assert_eq!(try_one("*", "any").await, None);
        assert_eq!(try_one("@example.cn", "domain").await, None);
    }

    #[tokio::test]
    async fn an_unknown_user_costs_a_hash_too() {
        let hashed = format!(
            "zhang {}\n",
            super::super::verifier::pbkdf2_sm3(b"right", b"saltsalt")
        );
        assert_eq!(
            accepted(decide(&hashed, "zhang", "right").await),
            Some(None)
        );
        assert_eq!(accepted(decide(&hashed, "nobody", "right").await), None);
        assert_eq!(accepted(decide("", "nobody", "right").await), None);
    }

    #[tokio::test]
    async fn cram_md5_needs_the_clear_password_and_hands_it_on() {
        let users = Users::default();
        let proof = || Proof::CramMd5 {
            // RFC 2195 § 3.
            challenge: "<1896.697170952@postoffice.reston.mci.net>".into(),
            digest: crate::secret::Secret::copy_of(b"b913a602c7eda7a495b4e6e7334d3890"),
        };
        let user = users.user("zhang@example.cn");
        let accepted = || Accepted::new(&user.full, &user.full, "file");
        let source = FileSource::new(parse(FILE, &users).expect("a file"));
        let Decision::Accept(who) = source.decide(&proof(), &user, accepted()).await else {
            panic!("refused");
        };
        assert!(
            who.password
                .is_some_and(|password| password.is(b"tanstaaftanstaaf"))
        );
        let hashed = format!(
            "zhang@example.cn {}\n",
            super::super::verifier::pbkdf2_sm3(b"tanstaaftanstaaf", b"saltsalt")
        );
        let source = FileSource::new(parse(&hashed, &users).expect("a file"));
        assert!(matches!(
            source.decide(&proof(), &user, accepted()).await,
            Decision::Refuse(_)
        ));
    }

    #[test]
    fn every_bad_line_is_named_and_no_password_repeated() {
        let bad =
            "zhang secret-words\nli\na {PLAIN}x up more\nb {PLAIN}x\nB@X {PLAIN}y\nB@x {PLAIN}z\n";
        let wrong = parse(bad, &Users::default()).expect_err("refused");
        let lines: Vec<usize> = wrong.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 2, 3, 6]);
        assert!(
            wrong
                .iter()
                .all(|(_, reason)| !reason.contains("secret-words"))
        );
    }
}
