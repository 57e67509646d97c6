//! Names of peers, resolved again and again by one task per daemon. A name that does not resolve keeps the addresses
//! it had, and stops nothing; a slow answer delays no other name.

mod dns;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::net::NetError;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Upstream;
use super::address::{Query, Target};
use dns::{Dns, Found, Unanswered};

/// The longest a start or a reload waits for names; those that take longer follow later.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// A record that lives shorter is not asked for more often than this.
const SHORTEST: Duration = Duration::from_secs(1);

/// After a failure the name is asked for again this soon, or after `resolve` if that is shorter.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Resolves with the hosts file and name servers.
#[derive(Clone)]
pub struct Resolver(Dns);

/// What is known about one name between two resolutions.
struct Name {
    due: Instant,
    asked: bool,
    failing: bool,
}

type Answer = (Query, Result<Found, Unanswered>);
type Names = BTreeMap<Query, Vec<Arc<Upstream>>>;

impl Resolver {
    /// Asks these name servers; none: those of `/etc/resolv.conf`.
    ///
    /// # Errors
    ///
    /// `/etc/resolv.conf` or `/etc/hosts` cannot be understood.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        Ok(Resolver(Dns::new(servers)?))
    }

    /// The name of an address, confirmed: the name has that address. Of several the first; `None`: there is none.
    ///
    /// # Errors
    ///
    /// The name servers have not answered, or not in earnest.
    pub async fn name_of(&self, address: IpAddr) -> Result<Option<String>, NetError> {
        self.0.name_of(address).await
    }

    /// Resolves every name that has no address yet, all at once, and waits a limited time for the answers.
    pub async fn resolve_new(&self, upstreams: &[Arc<Upstream>]) {
        let mut lookups = JoinSet::new();
        for (query, users) in names(upstreams) {
            if users.iter().any(|user| !user.is_resolved(&query)) {
                self.ask(&mut lookups, query);
            }
        }
        let all = async {
            while let Some(Ok((query, result))) = lookups.join_next().await {
                match result {
                    Ok(found) => apply(&query, &found, upstreams),
                    Err(error) => complain(&query, &error),
                }
            }
        };
        // Those that are late are the business of `follow`.
        let _ = tokio::time::timeout(FIRST_WAIT, all).await;
    }

    /// Keeps the names of the current upstreams resolved until the sender is dropped.
    pub async fn follow(self, mut upstreams: watch::Receiver<Vec<Arc<Upstream>>>) {
        let mut known: BTreeMap<Query, Name> = BTreeMap::new();
        let mut lookups = JoinSet::new();
        loop {
            let names = names(&upstreams.borrow_and_update());
            known.retain(|query, _| names.contains_key(query));
            for (query, users) in &names {
                let first = || Name::first(users, query);
                known.entry(query.clone()).or_insert_with(first);
            }
            let waiting = known.values().filter(|name| !name.asked);
            let next = waiting.map(|name| name.due).min();
            tokio::select! {
                changed = upstreams.changed() => if changed.is_err() { return },
                () = until(next) => self.ask_due(&mut known, &mut lookups),
                Some(answer) = lookups.join_next() => {
                    // A lookup that panicked is asked again when the name is used anew.
                    if let Ok(answer) = answer {
                        take(answer, &mut known, &names);
                    }
                }
            }
        }
    }

    fn ask_due(&self, known: &mut BTreeMap<Query, Name>, lookups: &mut JoinSet<Answer>) {
        let now = Instant::now();
        for (query, name) in known.iter_mut().filter(|(_, n)| !n.asked && n.due <= now) {
            name.asked = true;
            self.ask(lookups, query.clone());
        }
    }

    fn ask(&self, lookups: &mut JoinSet<Answer>, query: Query) {
        let dns = self.0.clone();
        lookups.spawn(async move {
            let result = dns.ask(&query).await;
            (query, result)
        });
    }
}

async fn until(next: Option<Instant>) {
    match next {
        Some(next) => tokio::time::sleep_until(next).await,
        None => std::future::pending().await,
    }
}

fn take((query, result): Answer, known: &mut BTreeMap<Query, Name>, names: &Names) {
    let (Some(name), Some(users)) = (known.get_mut(&query), names.get(&query)) else {
        return;
    };
    if let Ok(found) = &result {
        apply(&query, found, users);
    }
    name.take(&query, &result, interval(users));
}

impl Name {
    /// A name just resolved is due after the interval; one without an address soon.
    fn first(users: &[Arc<Upstream>], query: &Query) -> Self {
        let resolved = users.iter().all(|user| user.is_resolved(query));
        let wait = match resolved {
            // How long its first answer holds is not known here.
            true => interval(users).min(AFTER_FAILURE),
            false => SHORTEST,
        };
        Name {
            due: Instant::now() + wait,
            asked: false,
            failing: !resolved,
        }
    }

    /// Plans the next resolution, and says once when the name ceases to resolve and when it does again.
    fn take(&mut self, query: &Query, result: &Result<Found, Unanswered>, interval: Duration) {
        self.asked = false;
        match result {
            Ok(found) => {
                self.due = Instant::now() + found.ttl.max(SHORTEST).min(interval);
                if std::mem::take(&mut self.failing) {
                    tracing::info!(name = query.name(), "the name resolves again");
                }
            }
            Err(error) => {
                self.due = Instant::now() + interval.min(AFTER_FAILURE);
                if !std::mem::replace(&mut self.failing, true) {
                    complain(query, error);
                }
            }
        }
    }
}

/// The names of all upstreams, each with those that use it.
fn names(upstreams: &[Arc<Upstream>]) -> Names {
    let mut names = Names::new();
    for upstream in upstreams {
        for query in upstream.queries() {
            names.entry(query).or_default().push(Arc::clone(upstream));
        }
    }
    names
}

/// The shortest `resolve` among those that use a name.
fn interval(users: &[Arc<Upstream>]) -> Duration {
    let intervals = users.iter().map(|user| user.settings().resolve);
    intervals.min().unwrap_or(AFTER_FAILURE)
}

fn apply(query: &Query, found: &Found, upstreams: &[Arc<Upstream>]) {
    let users = upstreams.iter().filter(|u| u.queries().contains(query));
    for upstream in users {
        if upstream.set_targets(query, found.targets.clone()) {
            let addresses: Vec<_> = found.targets.iter().map(described).collect();
            tracing::info!(
                upstream = upstream.name(),
                name = query.name(),
                addresses = addresses.join(" "),
                "name resolved"
            );
        }
    }
}

fn described(target: &Target) -> String {
    match &target.service {
        None => target.ip.to_string(),
        Some(service) => SocketAddr::new(target.ip, service.port).to_string(),
    }
}

fn complain(query: &Query, error: &NetError) {
    tracing::warn!(
        name = query.name(),
        "the name of a peer does not resolve: {error}; help: check the name, and the name servers in /etc/resolv.conf or in `resolvers` of `[daemon]`"
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::upstream::Settings;

    fn upstream(peer: &str) -> Arc<Upstream> {
        let address: alb_conf::PeerAddress = peer.parse().expect("an address");
        let written = alb_conf::Upstream {
            peers: vec![alb_conf::PeerEntry::new(address.into())],
            ..Default::default()
        };
        let peers = written.peers.clone();
        Upstream::new("app", Settings::new(&written, None), peers, None)
    }

    #[tokio::test]
    async fn a_name_of_the_hosts_file_resolves() {
        let upstream = upstream("localhost:80");
        let resolver = Resolver::new(&[]).expect("resolv.conf");
        resolver.resolve_new(std::slice::from_ref(&upstream)).await;
        let peers = upstream.peers();
        let mut addresses = peers.iter().map(|peer| peer.address().to_string());
        assert!(addresses.any(|address| address == "127.0.0.1:80"));
    }

    #[test]
    fn an_answer_is_renewed_when_it_expires_but_not_later_than_resolve() {
        let mut name = Name {
            due: Instant::now(),
            asked: true,
            failing: false,
        };
        let mut wait = |ttl, interval| {
            let found = Found {
                targets: BTreeSet::new(),
                ttl: Duration::from_secs(ttl),
            };
            let query = Query::Host("app".to_owned());
            name.take(&query, &Ok(found), Duration::from_secs(interval));
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
