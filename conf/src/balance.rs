//! `balance` of an upstream: how a peer is chosen, by which key, and how a client is kept at its peer.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::as_text::as_text;
use crate::range::within_time;
use crate::{Spanned, Time};

/// How a peer is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// In turn, by weight, smoothly.
    #[default]
    RoundRobin,
    /// The peer with the fewest requests or connections under way for its weight; between equals in turn.
    LeastConnections,
    /// By the client's address (of IPv4 the first three bytes), exactly as nginx.
    IpHash,
    /// By `hash_key` on a ring of points (ketama), exactly as nginx's `hash … consistent`.
    Hash,
    /// The less busy of two peers drawn by weight.
    Random,
    /// By a cookie that names the peer of an earlier response; see `sticky`.
    Sticky,
}

/// What `balance = "hash"` hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HashKey {
    /// The client's address, as text.
    #[default]
    ClientIp,
    /// Path and query as the client sent them.
    Uri,
    /// The path alone.
    Path,
    /// The host of the request.
    Host,
    /// The user who logs in: for mail.
    User,
    /// A header field of the request.
    Header(String),
    /// A cookie of the request.
    Cookie(String),
}

/// What of a peer's address its place on the ring of `balance = "hash"` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HashPeers {
    /// Host and port, exactly as nginx.
    #[default]
    Address,
    /// The host alone: upstreams with the same hosts and weights have a client at the same host, whatever their ports.
    Host,
}

/// The cookie that keeps a client at its peer.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sticky {
    /// Name of the cookie.
    pub name: Spanned<String>,
    /// How a peer is chosen for a client without a valid cookie; any but `sticky`.
    pub fallback: Spanned<Balance>,
    /// How long a cookie holds; it is renewed in the second half of that time.
    #[serde(deserialize_with = "within_time::<1_000, 31_536_000, _>")]
    pub expires: Time,
    /// Paths the client sends the cookie for.
    pub path: Spanned<String>,
    /// Domain the client sends the cookie to; the host that set it without this.
    pub domain: Option<Spanned<String>>,
    /// Whether the client may send it over TLS and TLCP only; without this, if it was given over one of them.
    pub secure: Option<bool>,
    /// Whether it is hidden from scripts.
    pub http_only: bool,
    /// Whether it is sent with requests that other sites cause.
    pub same_site: SameSite,
    /// File with the key that authenticates the cookies (at least 16 bytes), for several gateways or across restarts; without it, a key drawn at the start.
    pub key_file: Option<Spanned<PathBuf>>,
}

impl Default for Sticky {
    fn default() -> Self {
        Self {
            name: "alb_peer".to_owned().into(),
            fallback: Balance::RoundRobin.into(),
            expires: Time::seconds(3600),
            path: "/".to_owned().into(),
            domain: None,
            secure: None,
            http_only: true,
            same_site: SameSite::Lax,
            key_file: None,
        }
    }
}

/// Whether a cookie is sent with requests that other sites cause (RFC 6265bis § 5.4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Never.
    Strict,
    /// When the user follows a link.
    #[default]
    Lax,
    /// Always.
    None,
}

impl FromStr for HashKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let token = |name: &str| {
            let good = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
            match !name.is_empty() && name.bytes().all(good) {
                true => Ok(name.to_owned()),
                false => Err(format!("`{text}` needs a name after the colon")),
            }
        };
        match text.split_once(':') {
            None => match text {
                "client_ip" => Ok(Self::ClientIp),
                "uri" => Ok(Self::Uri),
                "path" => Ok(Self::Path),
                "host" => Ok(Self::Host),
                "user" => Ok(Self::User),
                _ => Err(unknown(text)),
            },
            Some(("header", name)) => token(name).map(|n| Self::Header(n.to_ascii_lowercase())),
            Some(("cookie", name)) => token(name).map(Self::Cookie),
            Some(_) => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> String {
    format!(
        "`{text}` is not a key: expected `client_ip`, `uri`, `path`, `host`, `user`, `header:NAME` or `cookie:NAME`"
    )
}

impl fmt::Display for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientIp => f.write_str("client_ip"),
            Self::Uri => f.write_str("uri"),
            Self::Path => f.write_str("path"),
            Self::Host => f.write_str("host"),
            Self::User => f.write_str("user"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

as_text!(HashKey, {
    "type": "string",
    "pattern": "^(client_ip|uri|path|host|user|header:.+|cookie:.+)$"
});
