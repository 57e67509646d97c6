//! The question and the answer: what a session asks, and what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alb_conf::MailProtocol;
use alb_core::{ConnInfo, TlsInfo};

use crate::client_name::ClientName;
use crate::sasl::Credentials;
use crate::secret::Secret;

/// One attempt of a session. Nothing of an earlier attempt may be in it.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// What the client speaks.
    pub protocol: MailProtocol,
    /// Its connection.
    pub conn: &'a ConnInfo,
    /// The client's name in DNS.
    pub client_name: &'a ClientName,
    /// Which attempt of this session it is, from 1.
    pub number: u32,
    /// What is asked.
    pub what: Asked<'a>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub enum Asked<'a> {
    /// Whether somebody may log in.
    Login(&'a Credentials),
    /// Whether a message may be relayed for a client that has not logged in.
    Relay(Envelope<'a>),
}

/// How a client without login introduced itself and its message.
#[derive(Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// The argument of HELO or EHLO.
    pub helo: &'a [u8],
    /// The whole MAIL command.
    pub mail: &'a [u8],
    /// The whole first RCPT command.
    pub rcpt: &'a [u8],
}

/// What is to be done.
#[derive(Debug)]
pub enum Decision {
    /// Log the client in at a server.
    Accept(Accepted),
    /// Turn the client away, for now or for good.
    Refuse(Refusal),
    /// Nobody could decide. The client gets a temporary failure; this goes into the log.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// A client that may come in.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Who it is: normalised, for affinity, limits and the audit line.
    pub user: String,
    /// The name for the server.
    pub login: String,
    /// Whom the server shall let it act for.
    pub authzid: Option<String>,
    /// The password for the server, where the source knows one; otherwise what the client sent, if that is a password.
    pub password: Option<Secret>,
    /// The upstream of its mailbox; `None`: that of the listener.
    pub upstream: Option<Arc<str>>,
    /// The server itself, where the source names one; it has been checked against those allowed.
    pub server: Option<SocketAddr>,
    /// Who decided, for the audit line.
    pub source: &'static str,
}

/// A client that may not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What to tell it, one line without control characters; the protocol's own words without it.
    pub text: Option<String>,
    /// SMTP: the code to answer with, `535 5.7.8`.
    pub smtp_code: Option<String>,
    /// How long the answer waits; then the client may try again.
    pub wait: Duration,
    /// Whether the session ends with the answer.
    pub close: bool,
    /// Whether credentials were wrong, which counts against client and user.
    pub rejected: bool,
}

impl<'a> Attempt<'a> {
    /// What TLS or TLCP agreed on, if there is any.
    pub(super) fn tls(&self) -> Option<&'a TlsInfo> {
        self.conn.tls.as_deref()
    }
}

impl Decision {
    /// The name or its proof is wrong; which of them is nobody's business.
    pub(super) fn wrong() -> Self {
        Decision::Refuse(Refusal {
            rejected: true,
            ..Refusal::default()
        })
    }

    pub(super) fn unavailable(reason: impl Into<String>) -> Self {
        Decision::Unavailable {
            reason: reason.into(),
        }
    }
}

impl Accepted {
    pub(super) fn new(user: &str, login: &str, source: &'static str) -> Self {
        Accepted {
            user: user.to_owned(),
            login: login.to_owned(),
            authzid: None,
            password: None,
            upstream: None,
            server: None,
            source,
        }
    }

    /// A message without a login.
    pub(super) fn nobody(source: &'static str) -> Self {
        Self::new("", "", source)
    }
}
