//! `[upstream.NAME]`: a group of servers that requests are balanced over.

use std::net::IpAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time};
use crate::{
    Balance, HashKey, HashPeers, Health, PeerEntry, Protocol, Retry, Spanned, Sticky, Time,
    UpstreamMail,
};

/// A group of servers that requests are balanced over.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["peers"]))]
pub struct Upstream {
    /// How a peer is chosen.
    pub balance: Balance,
    /// For `balance = "hash"`: what is hashed, `client_ip`, `uri`, `path`, `host`, `user` (mail), `header:NAME` or `cookie:NAME`.
    pub hash_key: Option<Spanned<HashKey>>,
    /// For `balance = "hash"`: what of a peer's address its place on the ring comes from.
    pub hash_peers: Spanned<HashPeers>,
    /// Whether another peer serves when the one a client belongs to by `hash` or `ip_hash` cannot; `false` where each peer has data of its own.
    pub failover: Spanned<bool>,
    /// For `balance = "sticky"`: the cookie.
    pub sticky: Option<Spanned<Sticky>>,
    /// The servers: `"10.0.0.11:8080"`, `"app.internal:80"`, `"unix:/run/app.sock"`, `"srv:_http._tcp.app.internal"`, or a table.
    #[schemars(length(min = 1))]
    pub peers: Vec<PeerEntry>,
    /// Failures within `fail_timeout` that take a peer out for `fail_timeout`; `0` never takes one out.
    pub max_fails: u32,
    /// See `max_fails`.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub fail_timeout: Time,
    /// Active checks of the peers; none without it.
    pub health: Option<Spanned<Health>>,
    /// How long the share of a peer that recovered or is new grows from little to its weight; `0s`: full at once.
    #[serde(deserialize_with = "within_time::<0, 86_400, _>")]
    pub slow_start: Time,
    /// When and how often a request is tried on another peer.
    pub retry: Retry,
    /// Idle connections kept per worker; `0` keeps none.
    #[serde(deserialize_with = "within::<0, 65_535, _, _>")]
    #[schemars(range(max = 65_535))]
    pub keepalive: u32,
    /// How long an idle connection is kept.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub idle_timeout: Time,
    /// Time to connect, including the handshake.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub connect_timeout: Time,
    /// Longest wait for a response to begin, and longest pause between two reads of it.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub response_timeout: Time,
    /// Longest pause between two writes of a request.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub send_timeout: Time,
    /// How often names are resolved again at least; sooner if the answer holds for less.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub resolve: Time,
    /// Protocol spoken to the peers.
    pub protocol: UpstreamProtocol,
    /// PROXY header that streams and mail begin their connections to the peers with; none without it.
    pub proxy_protocol: Option<Spanned<ProxyVersion>>,
    /// Addresses of this machine that connections to the peers come from, in turn; the system chooses without it.
    pub bind: Vec<Spanned<IpAddr>>,
    /// TLCP or TLS to the peers; plain connections without it.
    pub tls: Option<Spanned<UpstreamTls>>,
    /// For mail servers: STARTTLS, login, and how they learn of the client.
    pub mail: UpstreamMail,
}

impl Upstream {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        let tls = self.tls.as_mut().map(|tls| tls.paths_mut());
        let sticky = self.sticky.as_mut().and_then(|s| s.key_file.as_mut());
        let deep = self.health.as_mut().and_then(|health| health.deep.as_mut());
        let probe = deep.and_then(|deep| deep.password_file.as_mut());
        let rest = self.mail.paths_mut().chain(sticky).chain(probe);
        tls.into_iter().flatten().chain(rest)
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            balance: Balance::RoundRobin,
            hash_key: None,
            hash_peers: HashPeers::Address.into(),
            failover: true.into(),
            sticky: None,
            peers: Vec::new(),
            max_fails: 3,
            fail_timeout: Time::seconds(10),
            health: None,
            slow_start: Time::seconds(0),
            retry: Retry::default(),
            keepalive: 64,
            idle_timeout: Time::seconds(60),
            connect_timeout: Time::seconds(3),
            response_timeout: Time::seconds(60),
            send_timeout: Time::seconds(60),
            resolve: Time::seconds(30),
            protocol: UpstreamProtocol::Http1,
            proxy_protocol: None,
            bind: Vec::new(),
            tls: None,
            mail: UpstreamMail::default(),
        }
    }
}

/// Version of the PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProxyVersion {
    /// Version 1: one line of text with the addresses.
    V1,
    /// Version 2: binary, also with the facts of TLS and TLCP.
    V2,
}

/// Protocol spoken to the peers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2: with prior knowledge (h2c) on plain connections, by ALPN with TLS and TLCP. gRPC needs it.
    #[serde(rename = "h2")]
    H2,
}

/// TLCP or TLS to the peers.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamTls {
    /// Protocols offered; TLCP and TLS cannot be offered in one handshake. Empty: TLS 1.2 and 1.3.
    pub protocols: Vec<Spanned<Protocol>>,
    /// Name of the identity shown to the peers that ask for one.
    pub identity: Option<Spanned<String>>,
    /// Certificates of the authorities that issue the peers' certificates, PEM; empty: those of the system.
    pub ca: Vec<Spanned<PathBuf>>,
    /// Revocation lists of these authorities, PEM or DER.
    pub crl: Vec<Spanned<PathBuf>>,
    /// Name the peers' certificates must be for, also sent as SNI; the host of the address without it.
    pub server_name: Option<Spanned<String>>,
    /// Whether the peers' certificates are verified. Turn this off for tests only.
    pub verify: Spanned<bool>,
    /// Keys of which the peers' certificates must have one, as `alb cert show` prints them: `"sha256/BASE64"` or `"sm3/BASE64"` of the SubjectPublicKeyInfo. TLCP: the key of the signing certificate. Empty: any. They are looked at besides all the rest, and with `verify = false` alone.
    pub pins: Vec<Spanned<String>>,
    /// Cipher suites by their standard names; empty: the modern ones of each protocol.
    pub suites: Vec<Spanned<String>>,
    /// Application protocols offered (ALPN), most wanted first. Without it that of `protocol` where a route proxies to the upstream, and none elsewhere.
    pub alpn: Option<Vec<Spanned<String>>>,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            protocols: Vec::new(),
            identity: None,
            ca: Vec::new(),
            crl: Vec::new(),
            server_name: None,
            verify: true.into(),
            pins: Vec::new(),
            suites: Vec::new(),
            alpn: None,
        }
    }
}

impl UpstreamTls {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        self.ca.iter_mut().chain(&mut self.crl)
    }
}
