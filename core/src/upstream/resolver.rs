//! Names of peers, resolved again and again by one task per daemon. A name that does not resolve keeps the addresses
//! it had, and stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::NetError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Upstream;

/// The longest a start or a reload waits for names; those that take longer follow later.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// A record that lives shorter is not asked for more often than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// After a failure the name is asked for again this soon, or after `resolve` if that is shorter.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Resolves with the name servers of the system, its hosts file first.
#[derive(Clone)]
pub struct Resolver {
    dns: TokioResolver,
}

/// What is known about one name between two resolutions.
struct Name {
    due: Instant,
    failing: bool,
}

/// The addresses of a name, and how long they hold.
struct Found {
    addresses: BTreeSet<IpAddr>,
    ttl: Duration,
}

impl Resolver {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// # Errors
    ///
    /// They cannot be understood.
    pub fn from_system() -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_tokio()?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // `resolve` says how old an answer may be; a cache below would make that untrue.
        options.cache_size = 0;
        Ok(Resolver {
            dns: builder.build()?,
        })
    }

    /// Resolves every name that has no address yet, all at once, and waits a limited time for the answers.
    pub async fn resolve_new(&self, upstreams: &[Arc<Upstream>]) {
        let names = names(upstreams);
        let unknown = names
            .into_iter()
            .filter(|(host, users)| users.iter().any(|user| !user.is_resolved(host)));
        let mut lookups = self.look_up(unknown.map(|(host, _)| host));
        let all = async {
            while let Some(Ok((host, result))) = lookups.join_next().await {
                apply(&host, &result, upstreams);
                if let Err(error) = result {
                    complain(&host, &error);
                }
            }
        };
        // Those that are late are the business of `follow`.
        let _ = tokio::time::timeout(FIRST_WAIT, all).await;
    }

    /// Keeps the names of the current upstreams resolved until the sender is dropped.
    pub async fn follow(self, mut upstreams: watch::Receiver<Vec<Arc<Upstream>>>) {
        let mut known: BTreeMap<String, Name> = BTreeMap::new();
        loop {
            let current = upstreams.borrow_and_update().clone();
            let names = names(&current);
            known.retain(|host, _| names.contains_key(host));
            for (host, users) in &names {
                let first = Name::first(users, host);
                known.entry(host.clone()).or_insert(first);
            }
            let Some(next) = known.values().map(|name| name.due).min() else {
                match upstreams.changed().await {
                    Ok(()) => continue,
                    Err(_) => return,
                }
            };
            tokio::select! {
                changed = upstreams.changed() => if changed.is_err() { return },
                () = tokio::time::sleep_until(next) => self.renew(&mut known, &names).await,
            }
        }
    }

    async fn renew(
        &self,
        known: &mut BTreeMap<String, Name>,
        names: &BTreeMap<String, Vec<Arc<Upstream>>>,
    ) {
        let now = Instant::now();
        let due = known.iter().filter(|(_, name)| name.due <= now);
        let mut lookups = self.look_up(due.map(|(host, _)| host.clone()));
        while let Some(Ok((host, result))) = lookups.join_next().await {
            let (Some(name), Some(users)) = (known.get_mut(&host), names.get(&host)) else {
                continue;
            };
            apply(&host, &result, users);
            name.take(&host, &result, interval(users));
        }
    }

    fn look_up(
        &self,
        hosts: impl Iterator<Item = String>,
    ) -> JoinSet<(String, Result<Found, NetError>)> {
        let mut lookups = JoinSet::new();
        for host in hosts {
            let dns = self.dns.clone();
            lookups.spawn(async move {
                let result = dns.lookup_ip(host.as_str()).await.map(|found| Found {
                    addresses: found.iter().collect(),
                    ttl: found
                        .valid_until()
                        .saturating_duration_since(std::time::Instant::now()),
                });
                (host, result)
            });
        }
        lookups
    }
}

impl Name {
    /// A name just resolved is due after the interval; one without an address soon.
    fn first(users: &[Arc<Upstream>], host: &str) -> Self {
        let resolved = users.iter().all(|user| user.is_resolved(host));
        let wait = match resolved {
            true => interval(users),
            false => interval(users).min(AFTER_FAILURE),
        };
        Name {
            due: Instant::now() + wait,
            failing: !resolved,
        }
    }

    /// Plans the next resolution, and says once when the name ceases to resolve and when it does again.
    fn take(&mut self, host: &str, result: &Result<Found, NetError>, interval: Duration) {
        match result {
            Ok(found) => {
                self.due = Instant::now() + found.ttl.max(SHORTEST).min(interval);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(name = host, "the name resolves again");
                }
            }
            Err(error) => {
                self.due = Instant::now() + interval.min(AFTER_FAILURE);
                if !std::mem::replace(&mut self.failing, true) {
                    complain(host, error);
                }
            }
        }
    }
}

/// The names of all upstreams, each with those that use it.
fn names(upstreams: &[Arc<Upstream>]) -> BTreeMap<String, Vec<Arc<Upstream>>> {
    let mut names: BTreeMap<String, Vec<Arc<Upstream>>> = BTreeMap::new();
    for upstream in upstreams {
        for host in upstream.names() {
            names.entry(host).or_default().push(Arc::clone(upstream));
        }
    }
    names
}

/// The shortest `resolve` among those that use a name.
fn interval(users: &[Arc<Upstream>]) -> Duration {
    let intervals = users.iter().map(|user| user.settings().resolve);
    intervals.min().unwrap_or(AFTER_FAILURE)
}

fn apply(host: &str, result: &Result<Found, NetError>, upstreams: &[Arc<Upstream>]) {
    let Ok(found) = result else { return };
    let users = upstreams.iter().filter(|u| u.names().contains(host));
    for upstream in users {
        if upstream.set_addresses(host, found.addresses.clone()) {
            let addresses: Vec<_> = found.addresses.iter().map(|a| a.to_string()).collect();
            tracing::info!(
                upstream = upstream.name(),
                name = host,
                addresses = addresses.join(" "),
                "name resolved"
            );
        }
    }
}

fn complain(host: &str, error: &NetError) {
    tracing::warn!(
        name = host,
        "the name of a peer does not resolve: {error}; help: check the name and the name servers in /etc/resolv.conf"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Settings;

    fn upstream(peer: &str) -> Arc<Upstream> {
        let written = alb_conf::Upstream {
            peers: vec![alb_conf::PeerEntry {
                address: peer
                    .parse::<alb_conf::PeerAddress>()
                    .expect("an address")
                    .into(),
                weight: 1,
                backup: false,
                down: false,
            }],
            ..Default::default()
        };
        let peers = written.peers.clone();
        Upstream::new("app", Settings::new(&written, None), peers, None)
    }

    #[tokio::test]
    async fn a_name_of_the_hosts_file_resolves() {
        let upstream = upstream("localhost:80");
        let resolver = Resolver::from_system().expect("resolv.conf");
        resolver.resolve_new(std::slice::from_ref(&upstream)).await;
        let peers = upstream.peers();
        let mut addresses = peers.iter().map(|peer| peer.address().to_string());
        assert!(addresses.any(|address| address == "127.0.0.1:80"));
    }

    #[test]
    fn an_answer_is_renewed_when_it_expires_but_not_later_than_resolve() {
        let mut name = Name {
            due: Instant::now(),
            failing: false,
        };
        let mut wait = |ttl, interval| {
            let found = Found {
                addresses: BTreeSet::new(),
                ttl: Duration::from_secs(ttl),
            };
            name.take("app", &Ok(found), Duration::from_secs(interval));
            name.due
                .duration_since(Instant::now())
                .as_secs_f32()
                .round() as u64
        };
        assert_eq!(wait(300, 30), 30);
        assert_eq!(wait(10, 30), 10);
        assert_eq!(wait(0, 30), 1);
    }
}
