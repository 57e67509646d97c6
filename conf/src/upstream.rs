//! `[upstream.NAME]`: a group of servers that requests are balanced over.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::shorthand::Shorthand;
use crate::units::{within, within_time};
use crate::{Protocol, Spanned, Time};

/// A group of servers that requests are balanced over.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["peers"]))]
pub struct Upstream {
    /// How a peer is chosen.
    pub balance: Balance,
    /// The servers: `"10.0.0.11:8080"`, `"app.internal:80"`, `"unix:/run/app.sock"`, or a table.
    #[schemars(length(min = 1))]
    pub peers: Vec<PeerEntry>,
    /// Failures within `fail_timeout` that take a peer out for `fail_timeout`; `0` never takes one out.
    pub max_fails: u32,
    /// See `max_fails`.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub fail_timeout: Time,
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
    /// How often names are resolved again.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub resolve: Time,
    /// Protocol spoken to the peers.
    pub protocol: UpstreamProtocol,
    /// TLCP or TLS to the peers; plain connections without it.
    pub tls: Option<Spanned<UpstreamTls>>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            balance: Balance::RoundRobin,
            peers: Vec::new(),
            max_fails: 3,
            fail_timeout: Time::seconds(10),
            retry: Retry::default(),
            keepalive: 64,
            idle_timeout: Time::seconds(60),
            connect_timeout: Time::seconds(3),
            response_timeout: Time::seconds(60),
            send_timeout: Time::seconds(60),
            resolve: Time::seconds(30),
            protocol: UpstreamProtocol::Http1,
            tls: None,
        }
    }
}

/// How a peer is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn, by weight, smoothly.
    #[default]
    RoundRobin,
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

/// When and how often a request is tried on another peer. A request that is not idempotent is never sent twice.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Peers tried at most, the first included; 1 to 100. `1` never tries again.
    #[serde(deserialize_with = "within::<1, 100, _, _>")]
    #[schemars(range(min = 1, max = 100))]
    pub tries: u32,
    /// What makes the next peer be tried: `error`, `timeout`, or a status from `400` to `599`.
    pub on: Vec<RetryOn>,
    /// No further try begins after this time.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub within: Time,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 2,
            on: vec![RetryOn::Error, RetryOn::Timeout],
            within: Time::seconds(10),
        }
    }
}

/// What makes the next peer be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// The connection failed, or closed before the response.
    Error,
    /// The peer took too long to connect or to answer.
    Timeout,
    /// The peer answered with this status, 400 to 599.
    Status(u16),
}

/// One server of an upstream: its address, or a table.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerEntry {
    /// Where it listens.
    pub address: Spanned<PeerAddress>,
    /// Share of the requests relative to the other peers, 1 to 65535.
    pub weight: u32,
    /// Used only while no other peer is available.
    pub backup: bool,
    /// Not used at all.
    pub down: bool,
}

/// Address of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A host name, resolved again and again, and a port.
    Name(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
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
    /// Cipher suites by their standard names; empty: the modern ones of each protocol.
    pub suites: Vec<Spanned<String>>,
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
            suites: Vec::new(),
        }
    }
}

impl UpstreamTls {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        self.ca.iter_mut().chain(&mut self.crl)
    }
}

impl FromStr for PeerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.starts_with('/') {
                true => Ok(Self::Unix(path.into())),
                false => Err(format!(
                    "`{text}` needs an absolute path, such as `unix:/run/app.sock`"
                )),
            };
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Ip(address));
        }
        let wrong = || {
            format!(
                "`{text}` is not an address: expected `HOST:PORT`, `[IPV6]:PORT` or `unix:/PATH`"
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(wrong)?;
        if is_host_name(host) {
            Ok(Self::Name(host.to_ascii_lowercase(), port))
        } else {
            Err(wrong())
        }
    }
}

/// Whether a text can be a host name (RFC 1123 § 2.1, and underscores, which service names of containers have).
fn is_host_name(text: &str) -> bool {
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // Four numbers are a misspelt IPv4 address, never a name.
    text.len() <= 253 && text.split('.').all(label) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl<'de> Deserialize<'de> for PeerAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

impl Serialize for PeerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for PeerAddress {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PeerAddress".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(unix:/.+|.+:[0-9]+)$" })
    }
}

/// The long form of a [`PeerEntry`].
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PeerTable {
    /// Where it listens.
    address: Spanned<PeerAddress>,
    /// Share of the requests relative to the other peers, 1 to 65535.
    #[serde(
        default = "default_weight",
        deserialize_with = "within::<1, 65_535, _, _>"
    )]
    #[schemars(range(min = 1, max = 65_535))]
    weight: u32,
    /// Used only while no other peer is available.
    #[serde(default)]
    backup: bool,
    /// Not used at all.
    #[serde(default)]
    down: bool,
}

fn default_weight() -> u32 {
    1
}

impl<'de> Deserialize<'de> for PeerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Spanned::<Shorthand<PeerTable>>::deserialize(deserializer)?;
        let span = written.span();
        match written.into_inner() {
            Shorthand::Text(text) => {
                let address = text.parse().map_err(D::Error::custom)?;
                Ok(Self {
                    address: Spanned::new(span, address),
                    weight: 1,
                    backup: false,
                    down: false,
                })
            }
            Shorthand::Table(PeerTable {
                address,
                weight,
                backup,
                down,
            }) => Ok(Self {
                address,
                weight,
                backup,
                down,
            }),
            Shorthand::Number(number) => Err(D::Error::invalid_type(
                serde::de::Unexpected::Signed(number),
                &"an address or `{ address, weight }`",
            )),
        }
    }
}

impl Serialize for PeerEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            address,
            weight,
            backup,
            down,
        } = self.clone();
        PeerTable {
            address,
            weight,
            backup,
            down,
        }
        .serialize(serializer)
    }
}

impl JsonSchema for PeerEntry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Peer".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        crate::shorthand::schema::<PeerAddress, PeerTable>(
            generator,
            "A server: its address, or a table.",
        )
    }
}

impl<'de> Deserialize<'de> for RetryOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (text.as_str(), text.parse()) {
            ("error", _) => Ok(Self::Error),
            ("timeout", _) => Ok(Self::Timeout),
            (_, Ok(status @ 400..=599)) => Ok(Self::Status(status)),
            _ => Err(D::Error::custom(format!(
                "`{text}` is not a reason to retry: expected `error`, `timeout` or a status from `400` to `599`"
            ))),
        }
    }
}

impl Serialize for RetryOn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Error => serializer.serialize_str("error"),
            Self::Timeout => serializer.serialize_str("timeout"),
            Self::Status(status) => serializer.collect_str(status),
        }
    }
}

impl JsonSchema for RetryOn {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RetryOn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(error|timeout|[45][0-9][0-9])$" })
    }
}
