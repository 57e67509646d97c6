//! The server side: from an accepted connection to an encrypted stream, or to an explanation.

use std::time::Duration;

use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::client_hello::ClientHello;
use super::diagnose::certificates;
use super::directory::Directory;
use super::error::{HandshakeError, Reason};
use super::ffi::sessions;
use super::first_record;
use super::handshake::{self, Side, take_leave};
use super::info::TlsInfo;
use super::io::Bridge;
use super::policy::{AcceptorPolicy, ClientAuthMode, PolicyError, named_suites};
use super::refusal::{Alert, Refusal};
use super::{Protocol, TlsStream, diagnose, suites, verify};

/// Shakes hands with clients of one listener. Shared by all workers; its session caches are, too.
pub struct Acceptor {
    directory: Directory,
    allowed: Vec<Protocol>,
    asks_clients: bool,
    tells_clients: bool,
    prefer_gm: bool,
    timeout: Duration,
}

impl Acceptor {
    /// Prepares the contexts of a policy.
    pub fn new(policy: &AcceptorPolicy) -> Result<Acceptor, PolicyError> {
        crate::ready();
        let suites = named_suites(&policy.suites)?;
        let allowed = policy.allowed()?;
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
            tells_clients: policy.client_auth.mode == ClientAuthMode::Told,
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
            Err(none) => {
                let tlcp = bytes.get(1..3) == Some(&[1, 1]);
                return Err(Refusal::from(none).deliver(stream, tlcp).await);
            }
        };
        let context = match self.choose(hello) {
            Ok(context) => context,
            Err(refusal) => return Err(refusal.deliver(stream, hello.is_tlcp()).await),
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
                let failure = verify::take(ssl.ssl()).failure;
                let refused = failure.map(|failure| certificates::refused(&failure, Side::Server));
                if refused.is_some() {
                    sessions::forget_session(ssl.ssl());
                }
                let name = hello.sni.clone();
                let info = TlsInfo::of(ssl.ssl(), name, self.asks_clients, refused);
                Ok(TlsStream::new(ssl, info))
            }
            Err(error) => {
                let mut notes = verify::take(ssl.ssl());
                if self.tells_clients {
                    // It is not what the handshake ended by.
                    notes.failure = None;
                }
                let ended = ssl.get_ref().ended;
                let error = diagnose::explain(error, ended, Side::Server, &notes);
                take_leave(&mut ssl.get_mut().stream, &[]).await;
                Err(error)
            }
        }
    }

    /// The context for a hello, or what to answer instead.
    fn choose(&self, hello: &ClientHello) -> Result<&SslContext, Box<Refusal>> {
        let contexts = self.directory.find(hello.sni.as_deref());
        if hello.is_tlcp() {
            if !self.speaks_tlcp() {
                let help = "TLCP needs an identity with an SM2 pair, and \"tlcp\" in `protocols`";
                return Err(self.wrong_protocol("a TLCP client", help));
            }
            if !self.asks_clients && offers_ecdhe_only(hello) {
                let message = "the TLCP client offers nothing but ECDHE suites, which need client certificates, \
                               and this listener asks for none";
                let help = "set `client_auth.mode`, or allow an ECC suite in the client";
                return Err(refuse(
                    Alert::HandshakeFailure,
                    Reason::NoCommonSuite,
                    message.into(),
                    help,
                ));
            }
            return contexts
                .tlcp
                .as_ref()
                .ok_or_else(|| no_identity(hello, "SM2 pair"));
        }
        if self.prefer_gm && contexts.tlcp.is_some() && lists_tlcp(hello) {
            let message = "the TLS hello lists TLCP suites, and this listener prefers TLCP";
            let help = "nothing: such a client comes back with TLCP";
            return Err(refuse(
                Alert::HandshakeFailure,
                Reason::PreferGm,
                message.into(),
                help,
            ));
        }
        if self.allowed == [Protocol::Tlcp] {
            let help = "use a TLCP client, or add \"tls1.3\" to `protocols` and an identity for it";
            return Err(self.wrong_protocol("a TLS client", help));
        }
        contexts
            .tls
            .as_ref()
            .ok_or_else(|| no_identity(hello, "certificate for TLS"))
    }

    fn speaks_tlcp(&self) -> bool {
        self.allowed.contains(&Protocol::Tlcp)
    }

    fn wrong_protocol(&self, who: &str, help: &str) -> Box<Refusal> {
        let spoken: Vec<_> = self.allowed.iter().map(|p| p.as_str()).collect();
        let spoken = spoken.join(" and ");
        let message = format!("{who} came to a listener that speaks {spoken} only");
        refuse(
            Alert::ProtocolVersion,
            Reason::NoCommonProtocol,
            message,
            help,
        )
    }
}

/// A TLS hello with TLCP suites in it: a browser that would also speak TLCP.
fn lists_tlcp(hello: &ClientHello) -> bool {
    let is_tlcp = |code: &u16| suites::by_code(*code).is_some_and(|s| s.protocol == Protocol::Tlcp);
    hello.suites.iter().any(is_tlcp)
}

/// Of the suites this gateway knows, the hello has only those that need a pair of the client's, too.
fn offers_ecdhe_only(hello: &ClientHello) -> bool {
    let mut known = hello
        .suites
        .iter()
        .filter_map(|&code| suites::by_code(code))
        .peekable();
    known.peek().is_some() && known.all(|suite| suite.needs_client_pair)
}

fn no_identity(hello: &ClientHello, what: &str) -> Box<Refusal> {
    let name = hello.sni.as_deref().unwrap_or("(none)");
    let message = format!("the name `{name}` has no {what}");
    let help = "add an identity with this name to the listener";
    refuse(Alert::HandshakeFailure, Reason::NoIdentity, message, help)
}

fn refuse(alert: Alert, reason: Reason, message: String, help: &str) -> Box<Refusal> {
    Box::new(Refusal::alert(alert, reason, message, help))
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
