//! What the log says of a session: one line at its end.

use std::time::Instant;

use alb_core::ConnInfo;

use crate::service::Service;

/// The facts of a session as they become known.
#[derive(Debug)]
pub struct Record {
    id: u64,
    client: std::net::SocketAddr,
    began: Instant,
    tls: Option<(&'static str, &'static str)>,
    /// Whether TLS began with STARTTLS.
    pub starttls: bool,
    /// The mechanism of the last login.
    pub mechanism: &'static str,
    /// The user of the last login, as sent.
    pub user: String,
    /// Whether the login succeeded.
    pub logged_in: bool,
    /// The server.
    pub server: String,
    /// Malformed and unknown commands.
    pub errors: u32,
    /// Bytes of the client that the server was given.
    pub received: u64,
    /// Bytes of the server that the client was given.
    pub sent: u64,
    /// Messages accepted (SMTP).
    pub messages: u32,
}

impl Record {
    /// The record of a session that begins now.
    pub fn new(info: &ConnInfo) -> Self {
        Record {
            id: info.id,
            client: info.peer,
            began: Instant::now(),
            tls: None,
            starttls: false,
            mechanism: "",
            user: String::new(),
            logged_in: false,
            server: String::new(),
            errors: 0,
            received: 0,
            sent: 0,
            messages: 0,
        }
    }

    /// The session's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Notes what TLS or TLCP agreed on.
    pub fn secured(&mut self, info: &ConnInfo) {
        self.tls = info
            .tls
            .as_ref()
            .map(|tls| (tls.protocol.as_str(), tls.suite));
    }

    /// Writes the line. User names are escaped: they are the client's words.
    pub fn ended(&self, service: &Service, reason: &str) {
        let (tls, suite) = self.tls.unwrap_or(("none", ""));
        tracing::info!(
            session = format_args!("{:x}", self.id),
            listener = %service.name,
            protocol = %service.protocol,
            client = %self.client,
            tls,
            suite,
            starttls = self.starttls,
            mechanism = self.mechanism,
            user = %self.user.escape_debug(),
            logged_in = self.logged_in,
            server = %self.server,
            received = self.received,
            sent = self.sent,
            messages = self.messages,
            errors = self.errors,
            duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            reason,
            "mail session ended"
        );
    }
}
