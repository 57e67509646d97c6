//! The server's side of a session: choosing a server, opening a connection that is as protected as configured, telling
//! the server who the client is, and logging in there.
//!
//! Once a password has been sent no other server is tried with it, unless the server says that it cannot take logins now.

pub mod imap;
pub mod pop3;
pub mod smtp;

mod deep;
mod exchange;
mod learn;
mod opening;
mod refusal;
mod trial;

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Instant;

use alb_conf::{ClientInfo, MailProtocol};
use alb_core::ConnInfo;
use alb_core::upstream::{Active, Outcome, Tried};
use bytes::BytesMut;
use tokio::time::sleep_until;

pub(crate) use self::deep::{Account, Deep, Envelope, look};
pub use self::exchange::{Pending, Step};
pub use self::learn::offers;
pub(crate) use self::opening::{greet, open, open_for};
pub use self::refusal::{Refusal, words};
pub use self::trial::{Heard, hear};
use crate::audit;
use crate::capabilities::Offers;
use crate::client_name::ClientName;
use crate::line;
use crate::rehome::Away;
use crate::sasl::Mechanism;
use crate::secret::Secret;
use crate::service::{Pool, Service};
use crate::wire::Wire;
use crate::worker::Worker;

/// A server that has taken the login.
pub struct Backend {
    /// The connection.
    pub wire: Wire,
    /// What the audit log says of it.
    pub audited: audit::Server,
    /// What the server said of itself before the login.
    pub offers: Offers,
    /// What it said to the login, for the client.
    pub welcome: Vec<u8>,
    /// Counts the session at the server.
    pub active: Active,
    /// Where the session would be if its own server had not been out.
    pub away: Option<Box<Away>>,
}

/// Whom to log in, as what, on whose behalf.
pub struct Visit<'v> {
    /// The listener.
    pub service: &'v Service,
    /// The client.
    pub info: &'v ConnInfo,
    /// The name to log in by; `None`: nobody logs in (MX).
    pub user: Option<&'v str>,
    /// Who it is, as has been verified: for servers that are told, and do not check.
    pub verified: &'v str,
    /// Whom the server shall let it act for, if that is another; else empty.
    pub authzid: &'v str,
    /// The server, where whoever decided has named one.
    pub server: Option<SocketAddr>,
    /// What proves it.
    pub proof: Proof<'v>,
    /// The name an SMTP client gave.
    pub helo: &'v str,
    /// The client's name in DNS (SMTP).
    pub name: &'v ClientName,
    /// What an IMAP client said of itself (ID), without what only proxies may say.
    pub id: &'v [(String, Option<String>)],
    /// Commands to repeat before the login (POP3's UTF8 and LANG).
    pub before: &'v [String],
    /// What the client was promised: a server without it is not for this client.
    pub promised: &'v Offers,
    /// Set when a server is shown what proves the user: from then on the answer has to be heard.
    pub shown: &'v Cell<bool>,
}

/// What proves a user to a server.
pub enum Proof<'v> {
    /// A password.
    Password(&'v Secret),
    /// The whole message of a mechanism.
    Message(Mechanism, &'v Secret),
    /// Nothing.
    None,
}

/// Why a server was of no use.
#[derive(Debug)]
pub enum Failed {
    /// Before anything secret was said: another server may be tried.
    Unreachable(String),
    /// Before anything secret was said: it lacks what this client needs. Another server may be tried; this one is well.
    Unfit(String),
    /// It has heard the credentials, and says that it cannot take logins now. Another server may be tried.
    Declined(String),
    /// The server rejected the credentials.
    Rejected(Refusal),
    /// The server could not, or would not, take the login now.
    Unavailable(String),
}

/// A connection to a server that has greeted, protected as configured.
pub struct Opened {
    /// The connection.
    pub wire: Wire,
    /// What the server offers on it.
    pub offers: Offers,
    /// Nobody has asked it: this is what all servers of the pool offered a moment ago (POP3).
    pub unasked: bool,
    /// The first line the server said.
    pub banner: Vec<u8>,
    /// What it has said to the login so far, for the client.
    pub welcome: Vec<u8>,
}

impl Failed {
    pub(crate) fn unreachable(error: impl ToString) -> Self {
        Failed::Unreachable(error.to_string())
    }
}

/// Logs a client in at a server of the pool, or begins to.
///
/// # Errors
///
/// See [`Failed`]: `Unreachable` when no server could be used at all.
pub async fn log_in(visit: &Visit<'_>, pool: &Pool, worker: &Worker) -> Result<Step, Failed> {
    if let Some(server) = visit.server {
        let peer = pool.upstream.peer_at(server);
        let peer = peer.ok_or_else(|| Failed::unreachable("the upstream has no peers"))?;
        return visit_one(visit, pool, peer, worker).await;
    }
    let settings = pool.upstream.settings();
    let deadline = Instant::now() + *settings.retry.within;
    let mut tried = Tried::default();
    let mut last = "no server is up".to_owned();
    while tried.count() < settings.retry.tries as usize && Instant::now() < deadline {
        let key = Some(visit.verified).filter(|user| !user.is_empty());
        let ip = client_ip(visit.info);
        let Some(active) = worker.pick(&pool.upstream, ip, key, &mut tried) else {
            break;
        };
        let peer = active.peer().clone();
        let result = visit_one(visit, pool, active, worker).await;
        let outcome = match &result {
            Err(Failed::Unreachable(_)) => Outcome::Failure,
            _ => Outcome::Success,
        };
        worker.report(&pool.upstream, &peer, outcome);
        match result {
            Err(Failed::Unreachable(why) | Failed::Unfit(why) | Failed::Declined(why)) => {
                tracing::warn!(upstream = pool.upstream.name(), peer = %peer.address(), "mail server cannot be used: {why}");
                last = why;
            }
            other => return other,
        }
    }
    Err(Failed::Unreachable(last))
}

async fn visit_one(
    visit: &Visit<'_>,
    pool: &Pool,
    active: Active,
    worker: &Worker,
) -> Result<Step, Failed> {
    worker.stats.upstream_connections.increment();
    let begun = Instant::now();
    let until = begun + *visit.service.settings.timeouts.server;
    let mut too_late = pin!(sleep_until(until.into()));
    let mut opened = tokio::select! {
        biased;
        opened = open_for(visit, pool, active.peer()) => opened?,
        () = &mut too_late => return Err(Failed::unreachable("it did not greet in time")),
    };
    let connected = begun.elapsed();
    visit.shown.set(true);
    let said = tokio::select! {
        biased;
        said = log_in_at(&mut opened, visit, pool) => said?,
        () = &mut too_late => {
            let slow = "the server did not answer the login in time";
            return Err(Failed::Unavailable(slow.to_owned()));
        }
    };
    let Opened {
        wire,
        offers,
        welcome,
        ..
    } = opened;
    let backend = Backend {
        audited: audit::Server {
            upstream: pool.upstream.shared_name(),
            address: active.peer().address().clone(),
            tls: wire.stream.tls_info().map(|tls| tls.protocol),
            connected,
        },
        wire,
        offers,
        welcome,
        away: Away::from_home(visit, pool, &active, worker),
        active,
    };
    Step::first(said, backend, visit)
}

async fn log_in_at(
    opened: &mut Opened,
    visit: &Visit<'_>,
    pool: &Pool,
) -> Result<exchange::Said, Failed> {
    match visit.service.protocol {
        MailProtocol::Imap => imap::log_in(opened, visit, pool).await,
        MailProtocol::Pop3 => pop3::log_in(opened, visit, pool).await,
        MailProtocol::Smtp => smtp::log_in(opened, visit, pool).await,
    }
}

/// How one leaves politely.
pub(crate) fn goodbye(protocol: MailProtocol) -> &'static [u8] {
    match protocol {
        MailProtocol::Imap => b"Z LOGOUT\r\n",
        MailProtocol::Pop3 | MailProtocol::Smtp => b"QUIT\r\n",
    }
}

/// The client's address as servers want it: IPv4 behind IPv6 is IPv4.
pub(crate) fn client_ip(info: &ConnInfo) -> IpAddr {
    info.peer.ip().to_canonical()
}

/// Whether a server that does not take client information is used all the same.
pub(crate) fn or_best_effort(pool: &Pool, why: &str) -> Result<(), Failed> {
    match pool.plan.best_effort {
        true => Ok(()),
        false => Err(Failed::unreachable(why)),
    }
}

/// Whether a pool wants the client named in this way.
pub(crate) fn wants(pool: &Pool, info: ClientInfo) -> bool {
    pool.plan.client_info == info
}

/// After the password has left nothing is tried again.
pub(crate) fn late(failed: Failed) -> Failed {
    match failed {
        Failed::Unreachable(why) => Failed::Unavailable(why),
        other => other,
    }
}

/// The next line of a server.
pub(crate) async fn next_line(wire: &mut Wire, most: usize) -> Result<BytesMut, Failed> {
    loop {
        match line::take(&mut wire.buffer, most) {
            Ok(Some(line)) => return Ok(line),
            Ok(None) => more(wire).await?,
            Err(line::TooLong) => return Err(Failed::unreachable("its line has no end")),
        }
    }
}

/// Waits for a server to say more.
pub(crate) async fn more(wire: &mut Wire) -> Result<(), Failed> {
    match wire.fill().await {
        Ok(0) => Err(Failed::unreachable("it closed the connection")),
        Ok(_) => Ok(()),
        Err(error) => Err(Failed::unreachable(error)),
    }
}
