//! The active check of an upstream as it is run: built once per configuration.

use std::fmt;
use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alb_conf::{Health, HealthKind, Upstream as Written};

use super::script::{Answer, Script};
use crate::Stream;
use crate::upstream::{Peer, Upstream};

/// How, and how often, the peers of an upstream are checked.
#[derive(Debug)]
pub struct Check {
    /// The word in the configuration.
    pub kind: HealthKind,
    /// What is said over a connection.
    pub talk: Talk,
    /// Whether the upstream's `tls` lies beneath it.
    pub tls: bool,
    /// The port, if not that of the peer.
    pub port: Option<u16>,
    /// Time between two checks of a peer.
    pub interval: Duration,
    /// Time for one check.
    pub timeout: Duration,
    /// Good answers in a row that bring a peer back.
    pub rise: u32,
    /// Failures in a row that take it out.
    pub fall: u32,
}

/// What is said over a connection.
pub enum Talk {
    /// Bytes and an answer.
    Script(Script),
    /// As [`Script`](Talk::Script), an HTTP/1 request for this path; its host is that of the peer unless given.
    Http {
        /// Path and query.
        path: String,
        /// The host to name.
        host: Option<String>,
        /// The good statuses.
        statuses: Vec<RangeInclusive<u16>>,
    },
    /// What another crate says.
    Foreign(Foreign),
}

/// A conversation that is more than a script.
pub struct Foreign {
    /// What a good answer is, for the log.
    pub expected: String,
    /// Talks over a connection to the peer.
    pub talk: Box<dyn Fn(Stream, Asked) -> Conversation + Send + Sync>,
}

/// Whom a conversation is with.
pub struct Asked {
    /// The host to name, that of the peer.
    pub host: String,
    /// The peer.
    pub peer: Arc<Peer>,
    /// The upstream it is one of.
    pub upstream: Arc<Upstream>,
}

/// A conversation under way.
pub type Conversation = Pin<Box<dyn Future<Output = Found>>>;

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A good answer.
    Good,
    /// A good answer, and something that its operator is to put right.
    Flawed(String),
    /// The peer lives but takes nobody now: speaks neither for nor against it.
    Busy(String),
    /// What was seen instead of a good answer.
    Bad(String),
}

impl From<Result<(), String>> for Found {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Found::Bad, |()| Found::Good)
    }
}

impl Check {
    /// The check as written; `None` where there is none, or where `foreign` must be and is not: for gRPC, for HTTP/2, and for
    /// the protocols of mail.
    pub fn new(written: &Written, foreign: Option<Foreign>) -> Option<Self> {
        let health = written.health.as_deref()?;
        let kind = *health.kind;
        let talk = match (foreign, kind) {
            (Some(foreign), _) => Talk::Foreign(foreign),
            (None, HealthKind::Grpc) => return None,
            (None, HealthKind::Smtp | HealthKind::Imap | HealthKind::Pop3) => return None,
            (None, HealthKind::Http | HealthKind::Https) => Talk::Http {
                path: health.path.to_string(),
                host: named_host(written, health),
                statuses: statuses(health),
            },
            (None, _) => Talk::Script(script(health)),
        };
        let upgrades = *written.mail.starttls;
        Some(Check {
            kind,
            talk,
            tls: written.tls.is_some() && kind != HealthKind::Tcp && !(kind.is_mail() && upgrades),
            port: health.port,
            interval: *health.interval(),
            timeout: *health.timeout(),
            rise: health.rise,
            fall: health.fall,
        })
    }

    /// What a good answer is, for the log.
    pub fn expected(&self) -> String {
        match &self.talk {
            Talk::Script(script) => script.answer.to_string(),
            Talk::Http { statuses, .. } => Answer::Status(statuses.clone()).to_string(),
            Talk::Foreign(foreign) => foreign.expected.clone(),
        }
    }
}

/// The host that requests name: as written for the check, else what TLS names.
pub fn named_host(written: &Written, health: &Health) -> Option<String> {
    let tls = written
        .tls
        .as_ref()
        .and_then(|tls| tls.server_name.as_ref());
    health.host.as_ref().or(tls).map(|host| host.to_string())
}

/// The good statuses; 200 to 399 unless others are written.
pub fn statuses(health: &Health) -> Vec<RangeInclusive<u16>> {
    match health.expect.is_empty() {
        true => vec![200..=399],
        false => health.expect.iter().filter_map(|e| e.statuses()).collect(),
    }
}

fn script(health: &Health) -> Script {
    let texts = health.expect.iter().map(|e| e.text().as_bytes().to_vec());
    let answer = match health.expect.is_empty() {
        true => Answer::Nothing,
        false => Answer::Contains(texts.collect()),
    };
    let send = health.send.as_ref().map(|text| text.as_bytes().to_vec());
    Script {
        send: send.unwrap_or_default(),
        answer,
    }
}

impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Talk::Script(script) => script.fmt(f),
            Talk::Http { path, .. } => f.debug_tuple("Http").field(path).finish(),
            Talk::Foreign(foreign) => f.debug_tuple("Foreign").field(&foreign.expected).finish(),
        }
    }
}
