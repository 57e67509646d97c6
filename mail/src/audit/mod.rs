//! The audit log: what is known of a session, and one line of it at its end; for SMTP one of each message besides.
//!
//! Passwords, tokens and what else proves a user never come here. The line of a session is written when its record is
//! dropped, whichever way the session ended: to the file of `[log.mail]`, or to the error log where there is none.

mod line;
mod message;

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use alb_conf::{AccessFormat, MailProtocol};
use alb_core::log::AccessBuffer;
use alb_core::tls::Protocol;
use alb_core::upstream::PeerAddress;
use alb_core::{ConnInfo, Side};

pub use self::message::Message;
use crate::service::Service;
use line::Line;

/// The facts of a session as they become known.
pub struct Record {
    log: Rc<AccessBuffer>,
    listener: Arc<str>,
    protocol: MailProtocol,
    info: ConnInfo,
    at: SystemTime,
    begun: Instant,
    /// Whether TLS began with STARTTLS.
    pub starttls: bool,
    /// The last login.
    pub login: Login,
    /// The server that took the session.
    pub server: Option<Server>,
    /// Malformed and unknown commands.
    pub errors: u32,
    /// Logins refused, the last one included.
    pub failures: u32,
    /// Bytes of the client that the server was given.
    pub received: u64,
    /// Bytes of the server that the client was given.
    pub sent: u64,
    /// Messages passed on to their end (SMTP).
    pub messages: u32,
    /// The client was not let in at all.
    pub refused: bool,
    ended: (Side, Cow<'static, str>),
}

/// A login as the log tells it.
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// How the client proved itself.
    pub mechanism: &'static str,
    /// Who it is, as the source says; empty if it is nobody yet.
    pub user: String,
    /// The name it sent.
    pub user_sent: String,
    /// Who decided.
    pub source: &'static str,
    /// How it ended.
    pub result: Option<LoginResult>,
    /// From the credentials to the decision, waits for earlier failures included.
    pub took: Duration,
}

/// How a login ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginResult {
    /// The user is logged in.
    Accepted,
    /// The source or the server has refused it.
    Rejected,
    /// Nobody could say.
    Unavailable,
    /// The user has too many sessions.
    OverLimit,
}

/// A server as the log tells it.
#[derive(Clone, Debug)]
pub struct Server {
    /// The upstream it is of.
    pub upstream: Arc<str>,
    /// Its address.
    pub address: PeerAddress,
    /// What the connection to it is protected by.
    pub tls: Option<Protocol>,
    /// From the first attempt to connect until it had greeted, handshakes included.
    pub connected: Duration,
}

impl Server {
    /// Upstream and address.
    pub fn name(&self) -> String {
        format!("{} {}", self.upstream, self.address)
    }
}

impl Record {
    /// The record of a session that begins now.
    pub fn begin(log: &Rc<AccessBuffer>, service: &Service, info: &ConnInfo) -> Self {
        Record {
            log: Rc::clone(log),
            listener: Arc::clone(&service.name),
            protocol: service.protocol,
            info: info.clone(),
            at: SystemTime::now(),
            begun: Instant::now(),
            starttls: false,
            login: Login::default(),
            server: None,
            errors: 0,
            failures: 0,
            received: 0,
            sent: 0,
            messages: 0,
            refused: false,
            // What stands here if nobody says otherwise: the daemon left.
            ended: (Side::Gateway, "leaving".into()),
        }
    }

    /// The session's number.
    pub fn id(&self) -> u64 {
        self.info.id
    }

    /// Notes what TLS or TLCP agreed on.
    pub fn secured(&mut self, info: &ConnInfo) {
        self.info.tls.clone_from(&info.tls);
    }

    /// Notes who ended the session, and why.
    pub fn end(&mut self, by: Side, why: impl Into<Cow<'static, str>>) {
        self.ended = (by, why.into());
    }

    /// Writes the line of a message.
    pub fn message(&self, message: &Message) {
        if let Some(format) = self.log.format() {
            self.log.line(|out| message.write(self, out, format));
        }
    }

    /// In one word.
    fn result(&self) -> &'static str {
        match (self.refused, &self.server, self.login.result) {
            (true, ..) => "refused",
            (_, Some(_), _) => "relayed",
            (_, None, Some(LoginResult::Rejected)) => "rejected",
            (_, None, Some(LoginResult::OverLimit)) => "over_limit",
            (_, None, Some(_)) => "unavailable",
            (_, None, None) => "no_login",
        }
    }

    /// Which session of which client it is.
    fn write_client(&self, line: &mut Line<'_>) {
        line.text("session", self.info.session_name());
        line.text("listener", &*self.listener);
        line.text("proto", self.protocol.as_str());
        let client = self.info.peer;
        line.text("client_ip", client.ip().to_canonical().to_string());
        line.plain("port", client.port());
    }

    fn write(&self, out: &mut Vec<u8>, format: AccessFormat) {
        let mut line = Line::begin(out, format, self.at, "session");
        self.write_client(&mut line);
        if let Some(proxy) = self.info.via {
            line.text("via_proxy", proxy.to_string());
        }
        self.write_tls(&mut line);
        self.write_login(&mut line);
        self.write_server(&mut line);
        line.plain("bytes_in", self.received);
        line.plain("bytes_out", self.sent);
        if self.protocol == MailProtocol::Smtp {
            line.plain("messages", self.messages);
        }
        line.millis("duration_ms", self.begun.elapsed());
        line.text("result", self.result());
        line.text("close_side", self.ended.0.as_str());
        line.plain("errors", self.errors);
        line.text("reason", self.ended.1.as_bytes());
        line.end();
    }

    fn write_tls(&self, line: &mut Line<'_>) {
        let Some(tls) = self.info.tls.as_deref() else {
            return line.text("tls", "none");
        };
        line.text("tls", kind(tls.protocol));
        line.text("version", tls.protocol.as_str());
        line.text("suite", tls.suite);
        line.text("sni", tls.sni.as_deref().unwrap_or_default());
        line.plain("starttls", self.starttls);
        if let Some(peer) = tls.peer.shown() {
            line.text("cert_subject", peer.sign.subject());
            line.text("cert_serial", peer.sign.serial());
        }
        let verdict = tls.peer.verdict();
        match tls.peer.rejection() {
            Some(rejection) => {
                let reason = rejection.reason.as_str();
                line.text("cert_verify", format!("{verdict}:{reason}"));
            }
            None => line.text("cert_verify", verdict),
        }
    }

    fn write_login(&self, line: &mut Line<'_>) {
        let login = &self.login;
        let Some(result) = login.result else {
            return;
        };
        line.text("mech", login.mechanism);
        line.text("user", &login.user);
        line.text("user_sent", &login.user_sent);
        line.text("auth_source", login.source);
        line.text("auth_result", result.as_str());
        line.millis("auth_ms", login.took);
        line.plain("auth_failures", self.failures);
    }

    fn write_server(&self, line: &mut Line<'_>) {
        let Some(server) = &self.server else {
            return;
        };
        line.text("pool", &*server.upstream);
        line.text("backend", server.address.to_string());
        line.text("backend_tls", server.tls.map_or("none", Protocol::as_str));
        line.millis("connect_ms", server.connected);
    }

    /// For the error log. Names are escaped: they are the client's words.
    fn tell(&self) {
        let (tls, suite) = match self.info.tls.as_deref() {
            Some(tls) => (tls.protocol.as_str(), tls.suite),
            None => ("none", ""),
        };
        tracing::info!(
            session = self.info.session_name(),
            listener = %self.listener,
            protocol = %self.protocol,
            client = %self.info.peer,
            tls,
            suite,
            mechanism = self.login.mechanism,
            user = %self.login.user_sent.escape_debug(),
            logged_in = self.login.result == Some(LoginResult::Accepted),
            server = self.server.as_ref().map(|server| server.address.to_string()).unwrap_or_default(),
            received = self.received,
            sent = self.sent,
            messages = self.messages,
            errors = self.errors,
            duration_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            result = self.result(),
            ended_by = self.ended.0.as_str(),
            reason = &*self.ended.1,
            "mail session ended"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let log = Rc::clone(&self.log);
        match log.format() {
            Some(format) => log.line(|out| self.write(out, format)),
            None => self.tell(),
        }
    }
}

impl LoginResult {
    /// The word in the log.
    fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Unavailable => "unavailable",
            Self::OverLimit => "over_limit",
        }
    }
}

/// Which of the two families a version is of.
fn kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tlcp => "tlcp",
        _ => "tls",
    }
}
