//! Where a peer is, once names are resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use alb_conf::PeerAddress as Written;

/// The address of one peer, ready to connect to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PeerAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix stream socket.
    Unix(PathBuf),
}

/// The addresses of every name that has been resolved.
pub(super) type Resolved = BTreeMap<String, BTreeSet<IpAddr>>;

impl PeerAddress {
    /// The addresses that one written address stands for: none while a name is not resolved.
    pub(super) fn all_of(written: &Written, resolved: &Resolved) -> Vec<Self> {
        match written {
            Written::Ip(address) => vec![PeerAddress::Tcp(*address)],
            Written::Unix(path) => vec![PeerAddress::Unix(path.clone())],
            Written::Name(host, port) => {
                let addresses = resolved.get(host).into_iter().flatten();
                addresses
                    .map(|ip| PeerAddress::Tcp(SocketAddr::new(*ip, *port)))
                    .collect()
            }
        }
    }
}

/// The host that TLS names and verifies when nothing else is configured.
pub(super) fn host(written: &Written) -> Option<String> {
    match written {
        Written::Ip(address) => Some(address.ip().to_string()),
        Written::Name(host, _) => Some(host.clone()),
        Written::Unix(_) => None,
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
