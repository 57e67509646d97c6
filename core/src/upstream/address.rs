//! Where a peer is, once names are resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use alb_conf::{PeerAddress as Written, PeerEntry};

/// The address of one peer, ready to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

/// A question to the name servers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// The addresses of a host.
    Host(String),
    /// The service records of a name (RFC 2782), and the addresses of their hosts.
    Service(String),
}

/// One answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The address.
    pub ip: IpAddr,
    /// What a service record says beside it.
    pub service: Option<Service>,
}

/// A service record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Its target.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its weight, at least 1.
    pub weight: u32,
    /// Records of lower priority exist: this one is used when their peers cannot be.
    pub backup: bool,
}

/// The answers to every question that has been answered.
pub(super) type Resolved = BTreeMap<Query, BTreeSet<Target>>;

/// A peer before it has a state.
pub(super) struct Located {
    pub address: PeerAddress,
    /// The host that TLS names and verifies when nothing else is configured.
    pub host: Option<String>,
    /// From a service record.
    pub weight: Option<u32>,
    pub backup: bool,
}

impl Query {
    /// What must be asked to know where a written address is.
    pub(super) fn of(written: &Written) -> Option<Self> {
        match written {
            Written::Ip(_) | Written::Unix(_) => None,
            Written::Name(host, _) => Some(Query::Host(host.clone())),
            Written::Srv(name) => Some(Query::Service(name.clone())),
        }
    }

    /// The name that is asked for.
    pub fn name(&self) -> &str {
        match self {
            Query::Host(name) | Query::Service(name) => name,
        }
    }
}

impl Target {
    /// An address of a host.
    pub fn host(ip: IpAddr) -> Self {
        Target { ip, service: None }
    }
}

impl Located {
    /// The peers that an entry stands for: none while its name is not resolved.
    pub(super) fn all_of(entry: &PeerEntry, resolved: &Resolved) -> Vec<Self> {
        let one = |address, host: Option<String>| Located {
            address,
            host,
            weight: None,
            backup: entry.backup,
        };
        let targets = Query::of(&entry.address).and_then(|query| resolved.get(&query));
        let targets = targets.into_iter().flatten();
        match &*entry.address {
            Written::Ip(ip) => vec![one(PeerAddress::Tcp(*ip), Some(ip.ip().to_string()))],
            Written::Unix(path) => vec![one(PeerAddress::Unix(path.clone()), None)],
            Written::Name(host, port) => targets
                .map(|t| {
                    let address = SocketAddr::new(t.ip, *port);
                    one(PeerAddress::Tcp(address), Some(host.clone()))
                })
                .collect(),
            Written::Srv(_) => targets
                .filter_map(|t| Some((t.ip, t.service.as_ref()?)))
                .map(|(ip, service)| Located {
                    address: PeerAddress::Tcp(SocketAddr::new(ip, service.port)),
                    host: Some(service.host.clone()),
                    weight: Some(service.weight.saturating_mul(entry.weight)),
                    backup: entry.backup || service.backup,
                })
                .collect(),
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerAddress::Tcp(address) => address.fmt(f),
            PeerAddress::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
