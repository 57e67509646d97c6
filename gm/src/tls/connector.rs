//! The client side, towards upstreams: the same protocols, verified unless told otherwise.

use std::net::IpAddr;
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslRef};
use openssl::x509::verify::X509CheckFlags;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::error::{HandshakeError, Reason};
use super::handshake::{self, Side, take_leave};
use super::info::{self, TlsInfo};
use super::io::Bridge;
use super::policy::{ConnectorPolicy, PolicyError, named_suites};
use super::sessions::Sessions;
use super::{Pin, Protocol, TlsStream, context, diagnose, verify};

/// Shakes hands with upstreams of one policy.
pub struct Connector {
    context: SslContext,
    sessions: Sessions,
    server_name: Option<String>,
    verify: bool,
    pins: Vec<Pin>,
    timeout: Duration,
}

impl Connector {
    /// Prepares the context of a policy.
    pub fn new(policy: &ConnectorPolicy) -> Result<Connector, PolicyError> {
        crate::ready();
        let suites = named_suites(&policy.suites)?;
        let tlcp = policy.protocols.contains(&Protocol::Tlcp);
        if tlcp && policy.protocols.len() > 1 {
            return Err(PolicyError::new(
                "TLCP and TLS cannot be offered in one hello",
                "name either \"tlcp\" or versions of TLS in `protocols`",
            ));
        }
        if let Some(suite) = suites
            .iter()
            .find(|s| s.needs_client_pair && !policy.identity.as_ref().is_some_and(|i| i.is_pair()))
        {
            let message = format!(
                "the suite {} needs a signing and an encryption certificate of ours",
                suite.name
            );
            return Err(PolicyError::new(
                message,
                "name an identity with an SM2 pair, or leave the suite out",
            ));
        }
        let sessions = Sessions::default();
        let context = context::client(policy, &suites, tlcp, &sessions)?;
        Ok(Connector {
            context,
            sessions,
            server_name: policy.server_name.clone(),
            verify: policy.verify,
            pins: policy.pins.clone(),
            timeout: policy.handshake_timeout,
        })
    }

    /// Shakes hands with a server. `server_name`, or the policy's, is asked for (SNI) and has to be in its certificate.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        server_name: &str,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let name = self.server_name.as_deref().unwrap_or(server_name);
        let slow = || {
            let message = format!(
                "the server did not finish its handshake within {} s",
                self.timeout.as_secs_f32()
            );
            HandshakeError::new(
                Reason::Timeout,
                message,
                "check that the port speaks this protocol",
            )
        };
        timeout(self.timeout, self.shake(stream, name))
            .await
            .unwrap_or_else(|_| Err(slow()))
    }

    async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        name: &str,
    ) -> Result<TlsStream<S>, HandshakeError> {
        let ssl = self.prepare(name).map_err(|e| internal(&e))?;
        let bridge = Bridge::new(stream, Vec::new());
        let (mut ssl, outcome) = handshake::run(ssl, bridge, Side::Client)
            .await
            .map_err(|e| internal(&e))?;
        match outcome {
            Ok(()) => {
                let info = TlsInfo::of(ssl.ssl(), Some(name.to_owned()), self.verify, None);
                if let Some(error) = self.not_pinned(ssl.ssl()) {
                    take_leave(&mut ssl.get_mut().stream, &[]).await;
                    return Err(error);
                }
                Ok(TlsStream::new(ssl, info))
            }
            Err(error) => {
                let error = diagnose::explain(
                    error,
                    ssl.get_ref().ended,
                    Side::Client,
                    &verify::take(ssl.ssl()),
                );
                take_leave(&mut ssl.get_mut().stream, &[]).await;
                Err(error)
            }
        }
    }

    /// What is wrong with the server's key, if it has to be one of some. Looked at after every handshake, so that no session
    /// is resumed without; nothing of ours has been sent then.
    fn not_pinned(&self, ssl: &SslRef) -> Option<HandshakeError> {
        if self.pins.is_empty() {
            return None;
        }
        let Some(shown) = info::signing_certificate(ssl) else {
            return Some(diagnose::keyless(&self.pins));
        };
        match Pin::mismatch(&self.pins, shown.x509()) {
            Ok(seen) => Some(diagnose::not_pinned(&shown, &seen?, &self.pins)),
            Err(error) => Some(internal(&error)),
        }
    }

    fn prepare(&self, name: &str) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        verify::attach(&mut ssl)?;
        self.sessions.offer(&mut ssl, name)?;
        let address = name.parse::<IpAddr>().ok();
        if address.is_none() {
            ssl.set_hostname(name)?;
        }
        if self.verify {
            let param = ssl.param_mut();
            // RFC 6125 §6.4.3: a wildcard is a whole label.
            param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            match address {
                Some(address) => param.set_ip(address)?,
                None => param.set_host(name)?,
            }
        }
        Ok(ssl)
    }
}

fn internal(error: &ErrorStack) -> HandshakeError {
    HandshakeError::new(
        Reason::Internal,
        format!("the cryptographic library failed: {error}"),
        "",
    )
}
