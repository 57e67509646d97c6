//! The server side: from an accepted connection to an encrypted stream, or to an explanation.

use std::time::Duration;

use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::client_hello::{ClientHello, NotAHello};
use super::directory::Directory;
use super::error::{HandshakeError, Reason};
use super::first_record::{self, NoHello};
use super::handshake::{self, Side, take_leave};
use super::identity::Identity;
use super::info::TlsInfo;
use super::io::Bridge;
use super::policy::{AcceptorPolicy, ClientAuthMode, PolicyError, named_suites};
use super::protocol::version_name;
use super::{Protocol, TlsStream, diagnose, suites, verify};

/// Answer to a request in plain HTTP, which could not read an alert.
const PLAIN_HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 51\r\n\r\n\
this port is encrypted: use https, or a TLCP client";

/// Alert descriptions, GB/T 38636 §6.4.2 and RFC 8446 §6.2.
const HANDSHAKE_FAILURE: u8 = 40;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;

/// Shakes hands with clients of one listener. Shared by all workers; its session caches are, too.
pub struct Acceptor {
    directory: Directory,
    allowed: Vec<Protocol>,
    asks_clients: bool,
    prefer_gm: bool,
    timeout: Duration,
}

impl Acceptor {
    /// Prepares the contexts of a policy.
    pub fn new(policy: &AcceptorPolicy) -> Result<Acceptor, PolicyError> {
        crate::ready();
        let suites = named_suites(&policy.suites)?;
        let allowed = allowed_protocols(policy)?;
        let asks_clients = policy.client_auth.mode != ClientAuthMode::Off;
        if asks_clients && policy.client_auth.trust.is_empty() {
            return Err(PolicyError::new(
                "client certificates are asked for, but no authority is named",
                "name the issuing CA in `client_auth.ca`",
            ));
        }
        if let Some(suite) = suites.iter().find(|s| s.needs_client_pair && !asks_clients) {
            let message = format!(
                "the suite {} needs client certificates, and clients are not asked for any",
                suite.name
            );
            return Err(PolicyError::new(
                message,
                "set `client_auth.mode`, or leave the suite out",
            ));
        }
        let directory = Directory::new(policy, &allowed, &suites)?;
        Ok(Acceptor {
            directory,
            allowed,
            asks_clients,
            prefer_gm: policy.prefer_gm,
            timeout: policy.handshake_timeout,
        })
    }

    /// Protocols this listener speaks.
    pub fn protocols(&self) -> &[Protocol] {
        &self.allowed
    }

    /// Shakes hands. On failure the peer has been told with an alert and the connection is closed.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let mut hello = None;
        let outcome = timeout(self.timeout, self.shake(stream, &mut hello)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(too_slow(self.timeout, hello.is_some())));
        outcome.map_err(|error| error.offered(hello.as_ref()))
    }

    async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        seen: &mut Option<ClientHello>,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let mut bytes = Vec::new();
        let hello = match first_record::read(&mut stream, &mut bytes).await {
            Ok(hello) => seen.insert(hello),
            Err(none) => return Err(no_hello(stream, none, &bytes).await),
        };
        let context = match self.choose(hello) {
            Ok(context) => context,
            Err((alert, error)) => {
                take_leave(stream, &alert_record(hello.record_version, alert)).await;
                return Err(error);
            }
        };
        let mut ssl = Ssl::new(context).map_err(|e| internal(&e))?;
        if self.asks_clients {
            verify::attach(&mut ssl).map_err(|e| internal(&e))?;
        }
        let bridge = Bridge::new(stream, bytes);
        let (mut ssl, outcome) = handshake::run(ssl, bridge, Side::Server)
            .await
            .map_err(|e| internal(&e))?;
        match outcome {
            Ok(()) => {
                let info = TlsInfo::of(ssl.ssl(), hello.sni.clone(), self.asks_clients);
                Ok(TlsStream::new(ssl, info))
            }
            Err(error) => {
                let error = diagnose::explain(
                    error,
                    ssl.get_ref().ended,
                    Side::Server,
                    &verify::take(ssl.ssl()),
                );
                take_leave(&mut ssl.get_mut().stream, &[]).await;
                Err(error)
            }
        }
    }

    /// The context for a hello, or the alert to send and the explanation.
    fn choose(&self, hello: &ClientHello) -> Result<&SslContext, (u8, HandshakeError)> {
        let contexts = self.directory.find(hello.sni.as_deref());
        let allowed = |p| self.allowed.contains(&p);
        if hello.is_tlcp() {
            if !allowed(Protocol::Tlcp) {
                return Err((
                    PROTOCOL_VERSION,
                    self.wrong_protocol(
                        "a TLCP client",
                        "TLCP needs an identity with an SM2 pair, and \"tlcp\" in `protocols`",
                    ),
                ));
            }
            return contexts
                .tlcp
                .as_ref()
                .ok_or_else(|| (HANDSHAKE_FAILURE, no_identity(hello, "SM2 pair")));
        }
        if self.prefer_gm
            && contexts.tlcp.is_some()
            && hello.suites.iter().any(|&s| is_tlcp_suite(s))
        {
            let message = "the TLS hello lists TLCP suites, and this listener prefers TLCP";
            return Err((
                HANDSHAKE_FAILURE,
                HandshakeError::new(
                    Reason::PreferGm,
                    message,
                    "nothing: such a client comes back with TLCP",
                ),
            ));
        }
        if !allowed(Protocol::Tls12) && !allowed(Protocol::Tls13) {
            return Err((
                PROTOCOL_VERSION,
                self.wrong_protocol(
                    "a TLS client",
                    "use a TLCP client, or add \"tls1.3\" to `protocols` and an identity for it",
                ),
            ));
        }
        contexts
            .tls
            .as_ref()
            .ok_or_else(|| (HANDSHAKE_FAILURE, no_identity(hello, "certificate for TLS")))
    }

    fn wrong_protocol(&self, who: &str, help: &str) -> HandshakeError {
        let spoken: Vec<_> = self.allowed.iter().map(|p| p.as_str()).collect();
        HandshakeError::new(
            Reason::NoCommonProtocol,
            format!(
                "{who} came to a listener that speaks {} only",
                spoken.join(" and ")
            ),
            help,
        )
    }
}

/// The protocols of a policy, each with an identity that can serve it.
fn allowed_protocols(policy: &AcceptorPolicy) -> Result<Vec<Protocol>, PolicyError> {
    if policy.identities.is_empty() {
        return Err(PolicyError::new(
            "a TLS listener needs an identity",
            "name one in `identities`",
        ));
    }
    let served = |protocol: Protocol| {
        policy
            .identities
            .iter()
            .any(|identity| can_serve(identity, protocol))
    };
    if policy.protocols.is_empty() {
        return Ok(Protocol::ALL.into_iter().filter(|&p| served(p)).collect());
    }
    for &protocol in &policy.protocols {
        if !served(protocol) {
            let needed = match protocol {
                Protocol::Tlcp => "an SM2 signing pair and encryption pair (`sign` and `encrypt`)",
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
        .filter(|p| policy.protocols.contains(p))
        .collect())
}

fn can_serve(identity: &Identity, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Tlcp => identity.is_pair(),
        Protocol::Tls12 => {
            identity.for_tls().facts().key_kind() != super::certificate::KeyKind::Sm2
        }
        Protocol::Tls13 => true,
    }
}

fn is_tlcp_suite(code: u16) -> bool {
    suites::by_code(code).is_some_and(|s| s.protocol == Protocol::Tlcp)
}

/// A plaintext alert record, fatal.
fn alert_record(version: u16, description: u8) -> [u8; 7] {
    // A TLS alert before any agreement carries 0x0303, whatever the hello's record said (RFC 8446 §5.1).
    let [major, minor] = if version == 0x0101 { [1, 1] } else { [3, 3] };
    [21, major, minor, 0, 2, 2, description]
}

fn no_identity(hello: &ClientHello, what: &str) -> HandshakeError {
    let name = hello.sni.as_deref().unwrap_or("(none)");
    let message = format!("the name `{name}` has no {what}");
    HandshakeError::new(
        Reason::NoIdentity,
        message,
        "add an identity with this name to the listener",
    )
}

fn too_slow(limit: Duration, greeted: bool) -> HandshakeError {
    let stage = if greeted {
        "the client did not finish its handshake"
    } else {
        "the client did not send a hello"
    };
    let message = format!("{stage} within {} s", limit.as_secs_f32());
    HandshakeError::new(
        Reason::Timeout,
        message,
        "raise `handshake_timeout` if the network is that slow",
    )
}

fn internal(error: &openssl::error::ErrorStack) -> HandshakeError {
    HandshakeError::new(
        Reason::Internal,
        format!("the cryptographic library failed: {error}"),
        "",
    )
}

/// Answers whatever came instead of a hello, and explains it.
async fn no_hello<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    none: NoHello,
    bytes: &[u8],
) -> HandshakeError {
    fn new(reason: Reason, message: impl Into<String>, help: &str) -> HandshakeError {
        HandshakeError::new(reason, message, help)
    }
    let not = match none {
        NoHello::Transport(error) => return HandshakeError::from_io(error),
        NoHello::Closed(0) => {
            return new(
                Reason::PeerClosed,
                "the client closed the connection without a word",
                "port scans and health checks do this",
            );
        }
        NoHello::Closed(n) => {
            return new(
                Reason::PeerClosed,
                format!("the client closed the connection {n} bytes into its hello"),
                "",
            );
        }
        NoHello::Not(not) => not,
    };
    let version = if bytes.get(1..3) == Some(&[1, 1]) {
        0x0101
    } else {
        0x0303
    };
    let (answer, error) = match not {
        NotAHello::Http => (
            PLAIN_HTTP.to_vec(),
            new(
                Reason::PlainHttp,
                "plain HTTP on an encrypted port",
                "the client has to use https:// (or TLCP)",
            ),
        ),
        NotAHello::Foreign { first } => {
            let message = format!(
                "neither TLS nor TLCP: the first byte is 0x{first:02X}, a hello begins with 0x16"
            );
            (
                alert_record(version, DECODE_ERROR).to_vec(),
                new(Reason::NotTls, message, ""),
            )
        }
        NotAHello::Version(seen) => {
            let message = format!(
                "the first record has version {}, which is neither TLCP nor TLS",
                version_name(seen)
            );
            (
                alert_record(version, PROTOCOL_VERSION).to_vec(),
                new(Reason::NoCommonProtocol, message, ""),
            )
        }
        NotAHello::Malformed => (
            alert_record(version, DECODE_ERROR).to_vec(),
            new(
                Reason::MalformedHello,
                "the client's hello is malformed",
                "",
            ),
        ),
        NotAHello::TooLong => (
            alert_record(version, DECODE_ERROR).to_vec(),
            new(
                Reason::MalformedHello,
                "the client's hello is longer than 32 KiB",
                "",
            ),
        ),
    };
    take_leave(stream, &answer).await;
    error
}
