//! A directory that decides: a user is who can bind with the password (RFC 4513 § 5.1.3).
//!
//! Owns the names to bind with and what is remembered. TLS is ours: ldap3 gets one end of a socket pair, and `bridge`
//! carries its bytes over a connection of the core.

mod bridge;
mod cache;
mod names;
mod start_tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::MailAuthLdap;
use alb_core::upstream::{Cursor, Outcome, Peer, PeerRef, Tried, Upstream, connector};
use alb_core::{Socket, Stream};
use ldap3::{Ldap, LdapError, Scope, SearchEntry};
use tokio::time::timeout;

use super::decision::{Accepted, Decision};
use super::users::User;
use crate::sasl::Proof;
use crate::secret::Secret;
use cache::Cache;

/// invalidCredentials (RFC 4511 appendix A.1).
const INVALID_CREDENTIALS: u32 = 49;
/// invalidDNSyntax: what a server says of a name that cannot be one of its entries.
const INVALID_DN_SYNTAX: u32 = 34;
/// noSuchObject: what some servers say instead of invalidCredentials.
const NO_SUCH_OBJECT: u32 = 32;
/// busy and unavailable: the directory itself cannot say.
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

/// The directory.
pub struct LdapSource {
    upstream: Arc<Upstream>,
    starttls: bool,
    plan: Arc<Plan>,
    /// Names the attribute may give.
    pools: Arc<[Arc<str>]>,
    timeout: Duration,
    cache: Cache,
}

/// How the entry of a user is found.
enum Plan {
    /// Its name is made from the user's.
    Template(String),
    /// It is searched for.
    Search {
        base: String,
        filter: String,
        searcher: String,
        password: Secret,
        attribute: Option<String>,
    },
}

/// What the directory said of a password.
enum Verdict {
    Right {
        upstream: Option<String>,
    },
    Wrong,
    /// It does not say: this account may not log in.
    NotNow(String),
}

impl LdapSource {
    /// The directory as written, with the searcher's password; `pools` are the upstreams there are.
    pub fn new(
        written: &MailAuthLdap,
        upstream: Arc<Upstream>,
        password: Secret,
        pools: Arc<[Arc<str>]>,
    ) -> Self {
        LdapSource {
            upstream,
            starttls: written.starttls,
            plan: Arc::new(Plan::new(written, password)),
            pools,
            timeout: *written.timeout,
            cache: Cache::new(*written.cache),
        }
    }

    /// Checks a password; `accepted` is who comes in if it is right.
    pub async fn decide(&self, proof: &Proof, user: &User, mut accepted: Accepted) -> Decision {
        let Proof::Password(password) = proof else {
            return Decision::unavailable("a directory checks passwords only");
        };
        // RFC 4513 § 5.1.2: with an empty password every name binds, as nobody. And a name or password that is not
        // text cannot be in the directory.
        let Some(text) = Some(password.as_bytes()).filter(|bytes| !bytes.is_empty()) else {
            return Decision::wrong();
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return Decision::wrong();
        };
        let known = self.cache.get(&user.full, password, Instant::now());
        let upstream = match known {
            Some(upstream) => upstream,
            None => match self.ask(user, text).await {
                Ok(Verdict::Right { upstream }) => {
                    self.cache
                        .put(&user.full, password, upstream.clone(), Instant::now());
                    upstream
                }
                Ok(Verdict::Wrong) => return Decision::wrong(),
                Ok(Verdict::NotNow(reason)) | Err(reason) => {
                    return Decision::Unavailable { reason };
                }
            },
        };
        if let Some(name) = upstream {
            let pool = self.pools.iter().find(|pool| ***pool == *name);
            let Some(pool) = pool else {
                let reason = format!(
                    "the directory sends `{}` to the unknown upstream `{name}`",
                    user.full
                );
                return Decision::Unavailable { reason };
            };
            accepted.upstream = Some(Arc::clone(pool));
        }
        Decision::Accept(accepted)
    }

    async fn ask(&self, user: &User, password: &str) -> Result<Verdict, String> {
        match timeout(self.timeout, self.ask_any(user, password)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
        }
    }

    /// Asks one peer after the other until one answers.
    async fn ask_any(&self, user: &User, password: &str) -> Result<Verdict, String> {
        let mut cursor = self.upstream.cursor(Cursor::random_start());
        let mut tried = Tried::default();
        let mut last = format!("no peer of `{}` is available", self.upstream.name());
        while let Some(peer) = cursor.pick(Instant::now(), &mut tried) {
            let result = self.ask_one(&peer, user, password).await;
            let outcome = if result.is_ok() {
                Outcome::Success
            } else {
                Outcome::Failure
            };
            cursor.report(&peer, outcome, Instant::now());
            match result {
                Ok(verdict) => return Ok(verdict),
                Err(reason) => last = format!("{}: {reason}", peer.address()),
            }
        }
        Err(last)
    }

    async fn ask_one(
        &self,
        peer: &PeerRef,
        user: &User,
        password: &str,
    ) -> Result<Verdict, String> {
        let stream = self.connect(peer).await?;
        let (plan, user, password) = (
            Arc::clone(&self.plan),
            user.clone(),
            Secret::copy_of(password.as_bytes()),
        );
        let talk = move |ldap: Ldap| async move {
            let password = std::str::from_utf8(password.as_bytes()).unwrap_or_default();
            plan.verify(ldap, &user, password)
                .await
                .map_err(|error| error.to_string())
        };
        bridge::run(stream, talk).await
    }

    async fn connect(&self, peer: &Peer) -> Result<Stream, String> {
        let settings = self.upstream.settings();
        let socket = connector::open(peer, settings)
            .await
            .map_err(|error| error.to_string())?;
        let socket: Socket = match self.starttls {
            true => start_tls::ask(socket).await?,
            false => socket,
        };
        connector::secure(socket, peer, settings)
            .await
            .map_err(|error| error.to_string())
    }
}

impl Plan {
    fn new(written: &MailAuthLdap, password: Secret) -> Self {
        match &written.search {
            None => Plan::Template(
                written
                    .bind_dn
                    .as_ref()
                    .map(|dn| dn.to_string())
                    .unwrap_or_default(),
            ),
            Some(search) => Plan::Search {
                base: search.base.to_string(),
                filter: search.filter.to_string(),
                searcher: search
                    .bind_dn
                    .as_ref()
                    .map(|dn| dn.to_string())
                    .unwrap_or_default(),
                password,
                attribute: written
                    .upstream_attribute
                    .as_ref()
                    .map(|name| name.to_string()),
            },
        }
    }

    async fn verify(
        &self,
        mut ldap: Ldap,
        user: &User,
        password: &str,
    ) -> Result<Verdict, LdapError> {
        let (dn, upstream) = match self {
            Plan::Template(template) => (Some(names::bind_dn(template, user)), None),
            Plan::Search {
                base,
                filter,
                searcher,
                password,
                attribute,
            } => {
                if !searcher.is_empty() {
                    let password = std::str::from_utf8(password.as_bytes()).unwrap_or_default();
                    ldap.simple_bind(searcher, password).await?.success()?;
                }
                find(
                    &mut ldap,
                    base,
                    &names::filter(filter, user),
                    attribute.as_deref(),
                )
                .await?
            }
        };
        // A bind is tried for a user who is not there too: it must not be told by the time an answer takes.
        let there = dn.is_some();
        let bound = ldap
            .simple_bind(&dn.unwrap_or_else(|| "cn=-".to_owned()), password)
            .await?;
        match bound.rc {
            0 if there => Ok(Verdict::Right { upstream }),
            0 | INVALID_CREDENTIALS | INVALID_DN_SYNTAX | NO_SUCH_OBJECT => Ok(Verdict::Wrong),
            _ if !there => Ok(Verdict::Wrong),
            BUSY | UNAVAILABLE => Err(bound.into()),
            // The directory works; it is this account that may not log in, which is locked or has a password that must be changed.
            _ => Ok(Verdict::NotNow(LdapError::from(bound).to_string())),
        }
    }
}

/// The one entry a filter finds, and its attribute; nothing if it finds none, or several: which of them would it be?
async fn find(
    ldap: &mut Ldap,
    base: &str,
    filter: &str,
    attribute: Option<&str>,
) -> Result<(Option<String>, Option<String>), LdapError> {
    // `1.1`: no attributes (RFC 4511 § 4.5.1.8).
    let wanted = vec![attribute.unwrap_or("1.1")];
    let (entries, _) = ldap
        .search(base, Scope::Subtree, filter, wanted)
        .await?
        .success()?;
    // Referrals are not followed: they would send passwords elsewhere.
    let mut entries = entries.into_iter().filter(|entry| !entry.is_ref());
    let (Some(entry), None) = (entries.next(), entries.next()) else {
        return Ok((None, None));
    };
    let mut entry = SearchEntry::construct(entry);
    let values = attribute.and_then(|name| {
        let found = entry
            .attrs
            .keys()
            .find(|key| key.eq_ignore_ascii_case(name))
            .cloned();
        found.and_then(|key| entry.attrs.remove(&key))
    });
    Ok((
        Some(entry.dn),
        values.and_then(|values| values.into_iter().next()),
    ))
}
