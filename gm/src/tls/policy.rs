//! What a listener or an upstream allows, and what is wrong with what was asked for.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use openssl::error::ErrorStack;

use super::certificate::KeyKind;
use super::groups;
use super::suites::{self, Suite};
use super::{Identity, Pin, Protocol, Trust, pem};

/// GM/T 0025: working keys between client and server are renewed after 8 hours at most.
pub const MAX_SESSION_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// What a listener allows.
#[derive(Clone)]
pub struct AcceptorPolicy {
    /// Protocols allowed; empty: all the identities can serve.
    pub protocols: Vec<Protocol>,
    /// Identities; the first of its kind answers to unknown names.
    pub identities: Vec<Arc<Identity>>,
    /// Suites by any name [`suites::find`] knows, in order of preference; a protocol with none named has its defaults.
    pub suites: Vec<String>,
    /// Key exchange groups of TLS in order of preference; empty: the defaults.
    pub groups: Vec<String>,
    /// Whether clients show certificates.
    pub client_auth: ClientAuth,
    /// Application protocols in order of preference; empty: no ALPN.
    pub alpn: Vec<String>,
    /// How long a session may be resumed, at most [`MAX_SESSION_LIFETIME`]; zero: no resumption.
    pub session_lifetime: Duration,
    /// Time from accepting the connection to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Refuse a TLS hello that lists TLCP suites, so that a 360 browser comes back with TLCP.
    pub prefer_gm: bool,
}

/// Whether and how clients are asked for certificates.
#[derive(Clone)]
pub struct ClientAuth {
    /// Off, optional or required.
    pub mode: ClientAuthMode,
    /// Who may have issued them.
    pub trust: Trust,
    /// Longest chain between a client's certificate and an authority.
    pub depth: u32,
}

/// Whether clients are asked for certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuthMode {
    /// Clients are not asked.
    #[default]
    Off,
    /// Clients are asked; one that shows nothing is let in, one that shows a bad certificate is not.
    Optional,
    /// Clients without a good certificate are refused.
    Required,
    /// Clients are asked, and the handshake lets all of them pass: what is wrong with a certificate is said in the
    /// protocol inside. Whom it concerns shows as [`Peer::Rejected`](super::Peer::Rejected), and must be turned away.
    Told,
}

/// What is used towards an upstream.
#[derive(Clone)]
pub struct ConnectorPolicy {
    /// TLCP alone, or versions of TLS; empty: TLS 1.2 and 1.3.
    pub protocols: Vec<Protocol>,
    /// Our certificate, for servers that ask for one.
    pub identity: Option<Arc<Identity>>,
    /// Authorities to believe; `None`: those of the system.
    pub trust: Option<Trust>,
    /// Check the server's certificate and name. Switched off only to look at a server.
    pub verify: bool,
    /// Keys of which the server has to have one; TLCP: that of its signing certificate. Empty: any. They are looked at even
    /// where nothing else is verified.
    pub pins: Vec<Pin>,
    /// Suites in order of preference; empty: the defaults.
    pub suites: Vec<String>,
    /// Key exchange groups of TLS in order of preference; empty: the defaults.
    pub groups: Vec<String>,
    /// Application protocols to offer.
    pub alpn: Vec<String>,
    /// Name to ask for and to check instead of the one given when connecting.
    pub server_name: Option<String>,
    /// Time for the whole handshake.
    pub handshake_timeout: Duration,
}

impl AcceptorPolicy {
    /// The protocols of a policy, each with an identity that can serve it.
    pub(super) fn allowed(&self) -> Result<Vec<Protocol>, PolicyError> {
        if self.identities.is_empty() {
            return Err(PolicyError::new(
                "a TLS listener needs an identity",
                "name one in `identities`",
            ));
        }
        let served = |protocol: Protocol| {
            self.identities
                .iter()
                .any(|identity| can_serve(identity, protocol))
        };
        if self.protocols.is_empty() {
            return Ok(Protocol::ALL.into_iter().filter(|&p| served(p)).collect());
        }
        for &protocol in &self.protocols {
            if !served(protocol) {
                let needed = match protocol {
                    Protocol::Tlcp => {
                        "an SM2 signing pair and encryption pair (`sign` and `encrypt`)"
                    }
                    Protocol::Tls12 => "an RSA or ECDSA certificate (`certificate` and `key`)",
                    Protocol::Tls13 => "a certificate",
                };
                let message = format!("{protocol} is allowed, but no identity can serve it");
                return Err(PolicyError::new(
                    message,
                    format!("{protocol} needs {needed}"),
                ));
            }
        }
        Ok(Protocol::ALL
            .into_iter()
            .filter(|p| self.protocols.contains(p))
            .collect())
    }
}

impl Default for AcceptorPolicy {
    fn default() -> Self {
        AcceptorPolicy {
            protocols: Vec::new(),
            identities: Vec::new(),
            suites: Vec::new(),
            groups: Vec::new(),
            client_auth: ClientAuth::default(),
            alpn: Vec::new(),
            session_lifetime: Duration::from_secs(3600),
            handshake_timeout: Duration::from_secs(15),
            prefer_gm: false,
        }
    }
}

impl Default for ClientAuth {
    fn default() -> Self {
        ClientAuth {
            mode: ClientAuthMode::Off,
            trust: Trust::default(),
            depth: 3,
        }
    }
}

impl Default for ConnectorPolicy {
    fn default() -> Self {
        ConnectorPolicy {
            protocols: Vec::new(),
            identity: None,
            trust: None,
            verify: true,
            pins: Vec::new(),
            suites: Vec::new(),
            groups: Vec::new(),
            alpn: Vec::new(),
            server_name: None,
            handshake_timeout: Duration::from_secs(15),
        }
    }
}

/// A policy that cannot be carried out.
#[derive(Debug)]
pub struct PolicyError {
    /// What was seen and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl PolicyError {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        PolicyError {
            message: message.into(),
            help: help.into(),
        }
    }

    pub(super) fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::new(
            format!("cannot read `{}`: {error}", path.display()),
            "check the path and its permissions",
        )
    }

    pub(super) fn not_a(path: &Path, what: &str, text: &[u8]) -> Self {
        let seen = pem::describe(text);
        Self::new(
            format!("`{}` should hold a {what}; it is {seen}", path.display()),
            "name a PEM file",
        )
    }
}

impl From<ErrorStack> for PolicyError {
    fn from(error: ErrorStack) -> Self {
        Self::new(
            format!("the cryptographic library refuses the policy: {error}"),
            "check suites, groups and certificates",
        )
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PolicyError {}

/// The suites named, or an error that lists what there is.
pub(super) fn named_suites(names: &[String]) -> Result<Vec<&'static Suite>, PolicyError> {
    let unknown = |name: &String| {
        let known: Vec<_> = suites::ALL.iter().map(|s| s.name).collect();
        PolicyError::new(
            format!("there is no cipher suite `{name}`"),
            format!("known: {}", known.join(", ")),
        )
    };
    names
        .iter()
        .map(|name| suites::find(name).ok_or_else(|| unknown(name)))
        .collect()
}

/// The library's list of the groups named, or of the defaults; an error lists what there is.
pub(super) fn named_groups(names: &[String], defaults: &str) -> Result<String, PolicyError> {
    let unknown = |name: &String| {
        let known: Vec<_> = groups::names().collect();
        PolicyError::new(
            format!("there is no key exchange group `{name}`"),
            format!("known: {}", known.join(", ")),
        )
    };
    if names.is_empty() {
        return Ok(defaults.to_owned());
    }
    let named = names
        .iter()
        .map(|name| groups::library_name(name).ok_or_else(|| unknown(name)));
    Ok(named.collect::<Result<Vec<_>, _>>()?.join(":"))
}

fn can_serve(identity: &Identity, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Tlcp => identity.is_pair(),
        Protocol::Tls12 => identity.for_tls().facts().key_kind() != KeyKind::Sm2,
        Protocol::Tls13 => true,
    }
}
