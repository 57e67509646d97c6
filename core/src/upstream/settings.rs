//! An upstream as it is run: the written settings with every reference resolved.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use alb_conf::{
    Balance, HashKey, HashPeers, ProxyVersion, Retry, Upstream as Written, UpstreamProtocol,
};
use alb_gm::tls::Connector;

use super::sticky::Sticky;
use crate::health::Check;

/// How the peers of an upstream are talked to.
#[derive(Clone)]
pub struct Settings {
    /// The protocol spoken to the peers.
    pub protocol: UpstreamProtocol,
    /// TLS or TLCP towards the peers.
    pub tls: Option<Arc<Connector>>,
    /// How a peer is chosen; with `sticky`, for clients without a cookie.
    pub balance: Balance,
    /// What `Balance::Hash` hashes.
    pub hash_key: HashKey,
    /// What places the peers on the ring of `Balance::Hash`.
    pub hash_peers: HashPeers,
    /// Whether another peer serves when the one a client belongs to cannot.
    pub failover: bool,
    /// The cookies that keep clients at their peers.
    pub sticky: Option<Arc<Sticky>>,
    /// How long the share of a peer grows after it was out.
    pub slow_start: Duration,
    /// The active check of the peers.
    pub health: Option<Arc<Check>>,
    /// Failures within `fail_timeout` that take a peer out; 0 never does.
    pub max_fails: u32,
    /// The window in which failures count, and how long a failed peer stays out.
    pub fail_timeout: Duration,
    /// The PROXY header connections on behalf of one client begin with.
    pub proxy_protocol: Option<ProxyVersion>,
    /// Addresses of this machine to connect from, in turn.
    pub bind: Vec<IpAddr>,
    /// When another peer is tried.
    pub retry: Retry,
    /// Idle connections kept per worker.
    pub keepalive: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// For connecting, the handshake included.
    pub connect_timeout: Duration,
    /// For a response to begin, and between two reads of it.
    pub response_timeout: Duration,
    /// Between two writes of a request.
    pub send_timeout: Duration,
    /// The longest time between two resolutions of a name.
    pub resolve: Duration,
}

impl Settings {
    /// The settings as written, with the connector that `tls` asks for; without cookies and active checks.
    pub fn new(written: &Written, tls: Option<Arc<Connector>>) -> Self {
        let balance = match (written.balance, &written.sticky) {
            (Balance::Sticky, None) => Balance::RoundRobin,
            (Balance::Sticky, Some(sticky)) => *sticky.fallback,
            (other, _) => other,
        };
        Settings {
            protocol: written.protocol,
            tls,
            balance,
            hash_key: written.hash_key.as_deref().cloned().unwrap_or_default(),
            hash_peers: *written.hash_peers,
            failover: *written.failover,
            sticky: None,
            slow_start: *written.slow_start,
            health: None,
            max_fails: written.max_fails,
            fail_timeout: *written.fail_timeout,
            proxy_protocol: written.proxy_protocol.as_ref().map(|version| **version),
            bind: written.bind.iter().map(|address| **address).collect(),
            retry: written.retry.clone(),
            keepalive: written.keepalive as usize,
            idle_timeout: *written.idle_timeout,
            connect_timeout: *written.connect_timeout,
            response_timeout: *written.response_timeout,
            send_timeout: *written.send_timeout,
            resolve: *written.resolve,
        }
    }

    /// The same with cookies.
    pub fn with_sticky(mut self, sticky: Sticky) -> Self {
        self.sticky = Some(Arc::new(sticky));
        self
    }

    /// The same with active checks.
    pub fn with_health(mut self, check: Check) -> Self {
        self.health = Some(Arc::new(check));
        self
    }

    /// The address of this machine to reach a peer from, if one is configured for its family: the one after the last.
    pub fn source(&self, to: SocketAddr) -> Option<IpAddr> {
        thread_local! {
            static TURN: Cell<usize> = const { Cell::new(0) };
        }
        let fitting = || self.bind.iter().filter(|ip| ip.is_ipv4() == to.is_ipv4());
        let turn = TURN.replace(TURN.get().wrapping_add(1));
        let choice = turn.checked_rem(fitting().count())?;
        fitting().nth(choice).copied()
    }

    /// Whether an idle connection made under `self` may serve under `other`. Never under TLS: the certificates
    /// behind an unchanged path may have changed.
    pub fn same_transport(&self, other: &Settings) -> bool {
        let same = self.protocol == other.protocol && self.bind == other.bind;
        same && self.tls.is_none() && other.tls.is_none()
    }
}
