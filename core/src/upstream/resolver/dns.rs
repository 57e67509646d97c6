//! One question to the name servers, and its answer.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;

use super::super::address::{Query, Service, Target};

/// Service records of one name that are used; more are left out.
const MOST_SERVICES: usize = 256;

/// Names of one address that are looked at; more are left out.
const MOST_NAMES: usize = 5;

/// A resolver that keeps no answers: how old they may be is decided above it.
#[derive(Clone)]
pub(super) struct Dns(TokioResolver);

/// What a name stands for, and how long that holds.
#[derive(Debug)]
pub(super) struct Found {
    pub targets: BTreeSet<Target>,
    pub ttl: Duration,
}

/// Why a question got no answer.
pub(super) type Unanswered = Arc<NetError>;

impl Dns {
    /// Asks these servers, over UDP and, for long answers, TCP; none: those of `/etc/resolv.conf`. The hosts file comes first.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, NetError> {
        let mut builder = match servers.is_empty() {
            true => TokioResolver::builder_tokio()?,
            false => {
                let servers = servers.iter().map(|address| name_server(*address));
                let config = ResolverConfig::from_name_servers(servers.collect());
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.cache_size = 0;
        Ok(Dns(builder.build()?))
    }

    /// Asks.
    pub async fn ask(&self, query: &Query) -> Result<Found, Unanswered> {
        match query {
            Query::Host(host) => self.host(host).await.map_err(Arc::new),
            Query::Service(name) => self.service(name).await.map_err(Arc::new),
        }
    }

    /// The first name of an address that has this address.
    pub async fn name_of(&self, address: IpAddr) -> Result<Option<String>, NetError> {
        let names = match self.0.reverse_lookup(address).await {
            Ok(answer) => answer,
            Err(error) if is_nothing(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let names = names.answers().iter().filter_map(|r| match &r.data {
            RData::PTR(name) => Some(name.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        });
        // What a name is made of is the owner's of the address to choose, who may mean harm.
        for name in names.filter(|name| is_host_name(name)).take(MOST_NAMES) {
            match self.0.lookup_ip(name.as_str()).await {
                Ok(answer) if answer.iter().any(|found| found == address) => return Ok(Some(name)),
                Ok(_) => {}
                Err(error) if is_nothing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn host(&self, host: &str) -> Result<Found, NetError> {
        let answer = self.0.lookup_ip(host).await?;
        let targets: BTreeSet<_> = answer.iter().map(Target::host).collect();
        some(targets, rest(answer.valid_until()))
    }

    /// The records, and the addresses of every target. A target without an address is left out.
    async fn service(&self, name: &str) -> Result<Found, NetError> {
        let answer = self.0.srv_lookup(name).await?;
        let mut ttl = rest(answer.valid_until());
        let records = answer.answers().iter().filter_map(|r| match &r.data {
            RData::SRV(srv) => Some(srv),
            _ => None,
        });
        let records: Vec<_> = records.take(MOST_SERVICES).collect();
        let first = records.iter().map(|srv| srv.priority).min();
        let mut targets = BTreeSet::new();
        for srv in records {
            // A target of `.` says that there is no such service (RFC 2782).
            if srv.target.is_root() || srv.port == 0 {
                continue;
            }
            let host = srv.target.to_ascii();
            let Ok(found) = self.host(&host).await else {
                continue;
            };
            ttl = ttl.min(found.ttl);
            let service = Service {
                host: host.trim_end_matches('.').to_owned(),
                port: srv.port,
                weight: u32::from(srv.weight).max(1),
                backup: Some(srv.priority) != first,
            };
            targets.extend(found.targets.into_iter().map(|target| Target {
                service: Some(service.clone()),
                ..target
            }));
        }
        some(targets, ttl)
    }
}

/// An empty answer is no answer: the addresses known so far stay.
fn some(targets: BTreeSet<Target>, ttl: Duration) -> Result<Found, NetError> {
    match targets.is_empty() {
        true => Err(io::Error::other("the answer is empty").into()),
        false => Ok(Found { targets, ttl }),
    }
}

/// Whether a name server has said that there is nothing.
fn is_nothing(error: &NetError) -> bool {
    error.is_nx_domain() || error.is_no_records_found()
}

/// Letters, digits, `-` and `.`: what can stand in any protocol without harm (CVE-2026-28753).
fn is_host_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.len() <= 253 && name.bytes().all(allowed)
}

fn rest(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now())
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    let connections = vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())];
    NameServerConfig::new(address.ip(), true, connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_end_a_line_are_none() {
        assert!(is_host_name("mx-1.sender.test"));
        for bad in [
            "",
            "a b",
            "a\r\nAuth-Status: OK",
            "a_b",
            "a\\013",
            "[UNAVAILABLE]",
        ] {
            assert!(!is_host_name(bad), "{bad:?}");
        }
    }
}
