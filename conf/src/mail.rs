//! `[[mail]]`: a listener for SMTP, IMAP or POP3.

use std::fmt;
use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::listen::{listen_addresses, name_of};
use crate::range::{within, within_size, within_time};
use crate::{MailMechanism, Prefix, Size, Spanned, Time, Tls, TlsMode};

/// A mail listener: logs clients in at the mail servers of an upstream and relays between them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["protocol", "listen", "upstream"]))]
pub struct Mail {
    /// Name in the log; the first address serves as the name without it.
    pub name: Option<Spanned<String>>,
    /// What the clients speak.
    #[schemars(with = "MailProtocol")]
    pub protocol: Option<Spanned<MailProtocol>>,
    /// Addresses to accept connections on. On 993, 995 and 465 TLS begins at once; 143, 110 and 587 require STARTTLS; 25 offers it; other ports need `tls.mode`.
    #[serde(deserialize_with = "listen_addresses")]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub listen: Vec<Spanned<SocketAddr>>,
    /// Name of the upstream with the mail servers.
    #[schemars(with = "String")]
    pub upstream: Option<Spanned<String>>,
    /// Name of the `[mail_auth]` that decides about logins; the mail servers behind without it.
    pub auth: Option<Spanned<String>>,
    /// Ways to log in that are offered; empty: `plain` and `login`.
    pub mechanisms: Vec<Spanned<MailMechanism>>,
    /// TLCP and TLS, at once or by STARTTLS (`mode`).
    pub tls: Option<Spanned<Tls>>,
    /// Name of the access list clients must pass.
    pub access: Option<Spanned<String>>,
    /// Names of limits of sessions: those whose key needs the user or the certificate are asked after the login, the others at accept. Without it a user may have 20 sessions at once.
    pub limits: Option<Vec<Spanned<String>>>,
    /// Addresses of the proxies in front. From them alone a PROXY header tells who the client is.
    pub trusted_proxies: Vec<Spanned<Prefix>>,
    /// Whether connections begin with a PROXY header (version 1 or 2), which only `trusted_proxies` may send.
    pub proxy_protocol: Spanned<bool>,
    /// Name in greetings and challenges; the name of this machine without it.
    pub hostname: Option<Spanned<String>>,
    /// Whether passwords are taken on connections without TLS. Only for networks that nobody listens to.
    pub plaintext_auth: Spanned<bool>,
    /// Capabilities to offer instead of those every server of the upstream is known to have.
    pub capabilities: Vec<Spanned<String>>,
    /// Unknown or malformed commands after which the connection is closed, 1 to 1000.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_errors: u32,
    /// Rejected logins after which the connection is closed, 1 to 1000.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_failures: u32,
    /// Most connections open at once on this listener, over all workers.
    #[serde(deserialize_with = "within::<1, 1_073_741_816, _, _>")]
    #[schemars(range(min = 1, max = 1_073_741_816))]
    pub max_connections: Option<u64>,
    /// How long is waited for whom.
    pub timeouts: MailTimeouts,
    /// What is special to SMTP.
    pub smtp: MailSmtp,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            name: None,
            protocol: None,
            listen: Vec::new(),
            upstream: None,
            auth: None,
            mechanisms: Vec::new(),
            tls: None,
            access: None,
            limits: None,
            trusted_proxies: Vec::new(),
            proxy_protocol: false.into(),
            hostname: None,
            plaintext_auth: false.into(),
            capabilities: Vec::new(),
            max_errors: 5,
            max_failures: 3,
            max_connections: Some(20_000),
            timeouts: MailTimeouts::default(),
            smtp: MailSmtp::default(),
        }
    }
}

impl Mail {
    /// The name in the log: as written, or the first address.
    pub fn name(&self) -> String {
        name_of(&self.name, &self.listen)
    }

    /// Whether it uses the upstream of this name.
    pub(crate) fn names_upstream(&self, name: &str) -> bool {
        let mx = self.smtp.mx.iter().flat_map(|mx| mx.upstreams.values());
        self.upstream.iter().chain(mx).any(|used| **used == name)
    }

    /// How TLS begins on a port of this listener; `None`: never, or nobody has said how.
    pub fn tls_mode(&self, port: u16) -> Option<TlsMode> {
        let tls = self.tls.as_ref()?;
        match (&tls.mode, port) {
            (Some(mode), _) => Some(**mode),
            (None, 993 | 995 | 465) => Some(TlsMode::Implicit),
            (None, 143 | 110 | 587) => Some(TlsMode::Starttls),
            (None, 25) => Some(TlsMode::Optional),
            (None, _) => None,
        }
    }
}

/// What the clients of a mail listener speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailProtocol {
    /// Submission and transport of mail (RFC 5321, RFC 6409).
    Smtp,
    /// Reading mail on the server (RFC 3501).
    Imap,
    /// Fetching mail (RFC 1939).
    Pop3,
}

impl MailProtocol {
    /// The name, which is also that of the application protocol in TLS (ALPN).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
        }
    }
}

impl fmt::Display for MailProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long is waited for whom in a mail session.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailTimeouts {
    /// Before login: longest pause between two commands; 5 min where nobody logs in (`smtp.mx`).
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub command: Time,
    /// Before login: longest time altogether.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub login: Time,
    /// For a server to greet and to take the login.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub server: Time,
    /// After login: longest silence; without it 35 min for IMAP, 11 min for POP3, 6 min for an SMTP command.
    pub idle: Option<Time>,
    /// SMTP: longest pause within a message.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub data: Time,
    /// SMTP: for a server to take a message after its last byte.
    #[serde(deserialize_with = "within_time::<1, 86_400, _>")]
    pub delivery: Time,
}

impl Default for MailTimeouts {
    fn default() -> Self {
        Self {
            command: Time::seconds(60),
            login: Time::seconds(180),
            server: Time::seconds(60),
            idle: None,
            data: Time::seconds(180),
            delivery: Time::seconds(600),
        }
    }
}

/// What is special to SMTP.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MailSmtp {
    /// Largest message, `1KiB` to `2GiB`; also said to clients (SIZE).
    #[serde(deserialize_with = "within_size::<1_024, 2_147_483_648, _>")]
    pub max_size: Size,
    /// Most recipients of a message, 1 to 100000.
    #[serde(deserialize_with = "within::<1, 100_000, _, _>")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_recipients: u32,
    /// Most messages of a session, 1 to 1000000.
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_messages: u32,
    /// Names of limits that count messages; `450 4.7.1` is the answer above. Without it 300 of a user in an hour.
    pub message_limits: Option<Vec<Spanned<String>>>,
    /// Names of limits that count recipients. Without it 1000 of a user in an hour.
    pub recipient_limits: Option<Vec<Spanned<String>>>,
    /// What is done with a line feed that does not follow a carriage return, or the other way round.
    pub bare_lf: BareLf,
    /// Further commands that clients may send after login.
    pub extra_verbs: Vec<Spanned<String>>,
    /// How long a client must wait for the greeting; one that speaks earlier is turned away.
    #[serde(deserialize_with = "within_time::<0, 60, _>")]
    pub greeting_delay: Time,
    /// Whether the names of clients are looked up (PTR, confirmed by an address of the name), for `mail_auth` with `http` and for XCLIENT.
    pub client_names: bool,
    /// Name of the `[mail_policy]` that says what messages may hold; anything without it.
    pub policy: Option<Spanned<String>>,
    /// Takes mail from other servers, without login, for the domains named.
    pub mx: Option<Spanned<MailMx>>,
}

impl Default for MailSmtp {
    fn default() -> Self {
        Self {
            max_size: Size::mib(50),
            max_recipients: 100,
            max_messages: 100,
            message_limits: None,
            recipient_limits: None,
            bare_lf: BareLf::Reject,
            extra_verbs: Vec::new(),
            greeting_delay: Time::seconds(0),
            client_names: false,
            policy: None,
            mx: None,
        }
    }
}

impl MailSmtp {
    /// Whether a message may go to several upstreams at once.
    pub fn fans_out(&self) -> bool {
        let mx = self.mx.as_ref();
        mx.is_some_and(|mx| *mx.multi_pool == MultiPool::Fanout)
    }

    /// The names of limits of messages and of recipients.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &Vec<Spanned<String>>> {
        let messages = self.message_limits.iter();
        messages.chain(&self.recipient_limits)
    }
}

/// What is done with half a line end in SMTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BareLf {
    /// The session ends with `521 5.5.2`: what servers make of it differs, and messages can be smuggled.
    #[default]
    Reject,
    /// It is made whole. Breaks signatures of messages that have any.
    Fix,
}

/// Mail from other servers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["relay_domains"]))]
pub struct MailMx {
    /// Domains that mail is taken for, `"gov.example"`, or with all below them `"*.gov.example"`.
    #[schemars(length(min = 1))]
    pub relay_domains: Vec<Spanned<String>>,
    /// Upstreams of single domains; the listener's takes the others.
    pub upstreams: crate::Map<Spanned<String>>,
    /// What becomes of a message whose recipients are of several upstreams.
    pub multi_pool: Spanned<MultiPool>,
}

/// What becomes of a message whose recipients are of several upstreams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MultiPool {
    /// It goes to the upstream of the first; the sender brings it to the others in messages of their own (`452 4.5.3`).
    #[default]
    Defer,
    /// It is kept until all of it has come, and goes to all of them; the sender is told `250` if all have taken it.
    Fanout,
}
