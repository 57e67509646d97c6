//! `peers` of an upstream: the servers, by address.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::Spanned;
use crate::as_text::as_text;
use crate::range::within;
use crate::shorthand::Shorthand;

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
    /// Takes no new clients: only those whose cookie names it.
    pub drain: bool,
    /// Requests or connections at once, those of all workers together, 1 to 1000000; no limit without it.
    pub max_conns: Option<u32>,
}

impl PeerEntry {
    /// A server with every default.
    pub fn new(address: Spanned<PeerAddress>) -> Self {
        Self {
            address,
            weight: 1,
            backup: false,
            down: false,
            drain: false,
            max_conns: None,
        }
    }
}

/// Address of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PeerAddress {
    /// An IP address and a port.
    Ip(SocketAddr),
    /// A host name, resolved again and again, and a port.
    Name(String, u16),
    /// A name of service records (RFC 2782), resolved again and again, that tell hosts, ports, weights and priorities.
    Srv(String),
    /// A Unix socket.
    Unix(PathBuf),
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
        if let Some(name) = text.strip_prefix("srv:") {
            return match is_host_name(name) {
                true => Ok(Self::Srv(name.to_ascii_lowercase())),
                false => Err(format!(
                    "`{text}` needs a name of service records, such as `srv:_http._tcp.app.internal`"
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
            Self::Srv(name) => write!(f, "srv:{name}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

as_text!(PeerAddress, { "type": "string", "pattern": "^(unix:/.+|srv:.+|.+:[0-9]+)$" });

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
    /// Takes no new clients: only those whose cookie names it.
    #[serde(default)]
    drain: bool,
    /// Requests or connections at once, those of all workers together, 1 to 1000000; no limit without it.
    #[serde(default, deserialize_with = "within::<1, 1_000_000, _, _>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    max_conns: Option<u32>,
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
                Ok(Self::new(Spanned::new(span, address)))
            }
            Shorthand::Table(PeerTable {
                address,
                weight,
                backup,
                down,
                drain,
                max_conns,
            }) => Ok(Self {
                address,
                weight,
                backup,
                down,
                drain,
                max_conns,
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
            drain,
            max_conns,
        } = self.clone();
        PeerTable {
            address,
            weight,
            backup,
            down,
            drain,
            max_conns,
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
