//! `[http.tls]`: TLCP and TLS on a listener.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time};
use crate::{Spanned, Time};

/// TLCP and TLS on a listener.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Protocols that are spoken; empty: all that the identities allow.
    pub protocols: Vec<Spanned<Protocol>>,
    /// Names of the identities, chosen by SNI from the names in the certificates; the first is the default.
    pub identities: Vec<Spanned<String>>,
    /// Cipher suites by their standard names, most wanted first; empty: the modern ones of each protocol.
    pub suites: Vec<Spanned<String>>,
    /// Groups of the key exchange, most wanted first; empty: X25519MLKEM768, X25519, P-256, curveSM2, P-384.
    pub groups: Vec<Spanned<String>>,
    /// Whether SM suites are preferred for clients that offer both kinds.
    pub prefer_gm: PreferGm,
    /// Whether clients must prove themselves, and by whom their certificates must be issued.
    pub client_auth: ClientAuth,
    /// Time for the whole handshake.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub handshake_timeout: Time,
    /// How long a session may be resumed, at most 8 h (GM/T 0025).
    #[serde(deserialize_with = "within_time::<1, 28_800, _>")]
    pub session_lifetime: Time,
    /// Application protocols offered (ALPN), most wanted first. Without it HTTP offers `h2` and `http/1.1`, which are all it speaks, and other listeners leave the choice to the client.
    pub alpn: Option<Vec<Spanned<String>>>,
    /// Mail listeners: how TLS begins; by the port without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Spanned<TlsMode>>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            protocols: Vec::new(),
            identities: Vec::new(),
            suites: Vec::new(),
            groups: Vec::new(),
            prefer_gm: PreferGm::Off,
            client_auth: ClientAuth::default(),
            handshake_timeout: Time::seconds(15),
            session_lifetime: Time::seconds(3600),
            alpn: None,
            mode: None,
        }
    }
}

/// How TLS begins on a mail listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// At once.
    Implicit,
    /// By STARTTLS or STLS, without which there is no login.
    Starttls,
    /// By STARTTLS if the client wants it, as between mail servers.
    Optional,
}

/// A protocol that protects a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema,
)]
pub enum Protocol {
    /// TLCP 1.1 (GB/T 38636), with an SM2 pair.
    #[serde(rename = "tlcp")]
    Tlcp,
    /// TLS 1.2.
    #[serde(rename = "tls1.2")]
    Tls12,
    /// TLS 1.3, also with SM suites (RFC 8998).
    #[serde(rename = "tls1.3")]
    Tls13,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tlcp => "tlcp",
            Self::Tls12 => "tls1.2",
            Self::Tls13 => "tls1.3",
        })
    }
}

/// Whether SM suites are preferred for TLS clients that offer both kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreferGm {
    /// The client's order decides.
    #[default]
    Off,
    /// SM suites come first.
    On,
}

/// Whether clients must prove themselves, and by whom their certificates must be issued.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientAuth {
    /// Whether a client certificate is asked for, and whether it may be missing.
    pub mode: Spanned<ClientAuthMode>,
    /// Certificates of the authorities that issue client certificates, PEM.
    pub ca: Vec<Spanned<PathBuf>>,
    /// Revocation lists of these authorities, PEM or DER; a revoked client is refused.
    pub crl: Vec<Spanned<PathBuf>>,
    /// Longest chain of intermediate certificates, 0 to 16.
    #[serde(deserialize_with = "within::<0, 16, _, _>")]
    #[schemars(range(max = 16))]
    pub depth: u32,
}

impl Default for ClientAuth {
    fn default() -> Self {
        Self {
            mode: ClientAuthMode::Off.into(),
            ca: Vec::new(),
            crl: Vec::new(),
            depth: 3,
        }
    }
}

impl ClientAuth {
    /// Every path of the section.
    pub(crate) fn paths_mut(&mut self) -> impl Iterator<Item = &mut Spanned<PathBuf>> {
        self.ca.iter_mut().chain(&mut self.crl)
    }
}

/// Whether a client certificate is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthMode {
    /// Not asked for.
    #[default]
    Off,
    /// Asked for; a client without one is served, a client with a bad one is refused.
    Optional,
    /// A client without a good one is refused.
    Required,
}
