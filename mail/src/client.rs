//! The client's side of a session before login: lines in, replies out, TLS in between, patience and its end.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::limit::Permit;
use alb_core::tls::{Acceptor, Rejection};
use alb_core::{ConnInfo, Peer, Side, Socket, Stream, handshake};
use bytes::BytesMut;
use tokio::time::sleep;

use crate::audit::Record;
use crate::client_name::ClientName;
use crate::line;
use crate::refused::{Refused, turn_away};
use crate::sasl::Mechanism;
use crate::service::Service;
use crate::timer::Timer;
use crate::wire::{Wire, within};
use crate::worker::Worker;

/// A client that has not logged in.
pub struct Client {
    /// The connection.
    pub wire: Wire,
    /// Its facts.
    pub info: ConnInfo,
    /// Its name in DNS (SMTP).
    pub name: ClientName,
    /// TLCP and TLS, until they are in use.
    pub acceptor: Option<Arc<Acceptor>>,
    /// The listener it came to.
    pub service: Arc<Service>,
    /// The worker that serves it.
    pub worker: Rc<Worker>,
    /// What the log will say.
    pub record: Record,
    /// The account of the last login, in the form in which guesses at it are counted.
    pub account: String,
    /// What it is counted by until it ends.
    pub permit: Permit,
    /// Malformed and unknown commands so far.
    errors: u32,
    /// Logins refused so far.
    pub failures: u32,
    /// Logins tried so far.
    pub attempts: u32,
    until: Instant,
    timer: Timer,
}

/// Why nothing more is read from a client.
#[derive(Debug)]
pub enum Stop {
    /// It closed the connection.
    Closed,
    /// It said nothing for too long, or took too long altogether.
    Idle,
    /// A line without end.
    TooLong,
    /// The worker is leaving.
    Draining,
    /// The user's own server is back.
    Rehomed,
    /// Too many malformed or unknown commands.
    TooManyErrors,
    /// Too many logins were refused.
    TooManyFailures,
    /// Its address has failed to log in too often.
    LockedOut,
    /// Bytes behind STARTTLS, or before the greeting.
    Injection,
    /// What may follow would be read as something else than was meant.
    Violation(&'static str),
    /// It said goodbye.
    Quit,
    /// Whoever decides about logins wants no more of it.
    Dismissed,
    /// Reading or writing failed.
    Io(io::Error),
    /// The handshake failed; its own line in the log says why.
    Handshake,
}

impl Stop {
    /// The word for the log.
    pub fn reason(&self) -> &'static str {
        match self {
            Stop::Closed => "closed",
            Stop::Idle => "idle",
            Stop::TooLong => "line_too_long",
            Stop::Draining => "draining",
            Stop::Rehomed => "rehomed",
            Stop::TooManyErrors => "too_many_errors",
            Stop::TooManyFailures => "too_many_failures",
            Stop::LockedOut => "locked_out",
            Stop::Injection => "starttls_injection",
            Stop::Violation(what) => what,
            Stop::Quit => "quit",
            Stop::Dismissed => "login_refused",
            Stop::Io(_) => "io_error",
            Stop::Handshake => "handshake_failed",
        }
    }

    /// Who ends the session by it.
    pub fn side(&self) -> Side {
        match self {
            Stop::Closed | Stop::Quit | Stop::Io(_) | Stop::Handshake => Side::Client,
            Stop::Violation(what) if what.starts_with("server_") => Side::Upstream,
            _ => Side::Gateway,
        }
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl Client {
    /// A client that has just connected. In a box: futures would hold it once for each of them that it passes through.
    pub fn new(
        socket: Socket,
        info: ConnInfo,
        acceptor: Option<Arc<Acceptor>>,
        service: Arc<Service>,
        worker: Rc<Worker>,
    ) -> Box<Self> {
        let patience = match service.mx() {
            Some(_) => OTHER_SERVER,
            None => *service.settings.timeouts.login,
        };
        let now = Instant::now();
        let timer = Timer::new(now + patience.min(service.command_timeout()));
        Box::new(Client {
            wire: Wire::new(Stream::Plain(socket)),
            record: Record::begin(&worker.log, &service, &info),
            account: String::new(),
            info,
            name: ClientName::default(),
            acceptor,
            service,
            worker,
            permit: Permit::default(),
            errors: 0,
            failures: 0,
            attempts: 0,
            until: now + patience,
            timer,
        })
    }

    /// This is the name it has sent in a login.
    pub fn goes_by(&mut self, user: String) {
        self.account = self.service.auth.account(&user);
        self.record.login.user_sent = user;
    }

    /// Another server has brought mail, and may bring more.
    pub fn stay(&mut self) {
        self.until = Instant::now() + OTHER_SERVER;
    }

    /// Whether the connection is protected.
    pub fn is_secure(&self) -> bool {
        self.info.tls.is_some()
    }

    /// Whether it may be protected still.
    pub fn may_upgrade(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Whether a password may be sent on this connection.
    pub fn may_log_in(&self) -> bool {
        self.is_secure() || *self.service.settings.plaintext_auth
    }

    /// Whether names and passwords may come as commands of the protocol (IMAP's LOGIN, USER and PASS), outside of any
    /// mechanism: only where a mechanism for passwords is offered, too.
    pub fn takes_passwords(&self) -> bool {
        let offered = self.service.mechanisms;
        let any = offered.contains(Mechanism::Plain) || offered.contains(Mechanism::Login);
        any && self.may_log_in()
    }

    /// The next line, without its end, of at most `most` bytes with it.
    pub async fn line(&mut self, most: usize) -> Result<BytesMut, Stop> {
        loop {
            match line::take(&mut self.wire.buffer, most) {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => self.more().await?,
                Err(line::TooLong) => return Err(Stop::TooLong),
            }
        }
    }

    /// Waits for more bytes.
    pub async fn more(&mut self) -> Result<(), Stop> {
        let deadline = self
            .until
            .min(Instant::now() + self.service.command_timeout());
        let begun = self.worker.drain.begun();
        tokio::select! {
            biased;
            () = begun => Err(Stop::Draining),
            filled = self.wire.fill() => match filled? {
                0 => Err(Stop::Closed),
                _ => Ok(()),
            },
            () = self.timer.reaches(deadline) => Err(Stop::Idle),
        }
    }

    /// Lets some time pass, but not the client's leaving, nor the worker's.
    pub async fn pause(&mut self, time: Duration) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.worker.drain.begun() => Err(Stop::Draining),
            () = self.wire.closed(AHEAD) => Err(Stop::Closed),
            () = sleep(time) => Ok(()),
        }
    }

    /// Sends a reply.
    pub async fn send(&mut self, reply: impl AsRef<[u8]>) -> Result<(), Stop> {
        let patience = self.service.command_timeout();
        match within(patience, self.wire.send(reply.as_ref())).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Err(Stop::Idle),
        }
    }

    /// After a login that was refused: goes on, unless that was the last.
    pub fn refused(&mut self, close: Option<Stop>) -> Result<(), Stop> {
        match (close, self.failures < self.service.settings.max_failures) {
            (Some(stop), _) => Err(stop),
            (None, true) => Ok(()),
            (None, false) => Err(Stop::TooManyFailures),
        }
    }

    /// Counts a malformed or unknown command.
    pub fn mistake(&mut self) -> Result<(), Stop> {
        self.errors += 1;
        self.record.errors = self.errors;
        match self.errors < self.service.settings.max_errors {
            true => Ok(()),
            false => Err(Stop::TooManyErrors),
        }
    }

    /// Answers STARTTLS with `go_ahead` and shakes hands; `None` when that has ended the session. Bytes that have come
    /// behind the command are an attack (CVE-2011-0411, CVE-2021-33515): they would be taken for bytes of the
    /// protected connection.
    pub async fn upgrade(mut self: Box<Self>, go_ahead: &str) -> Option<Box<Self>> {
        if !self.wire.buffer.is_empty() {
            tracing::warn!(
                client = %self.info.peer, listener = %self.service.name, reason = "starttls_injection",
                "bytes behind STARTTLS, connection closed; help: this is an attack, or a client that does not wait"
            );
            self.leave(&Stop::Injection, "").await;
            return None;
        }
        if let Err(stop) = self.send(go_ahead).await {
            self.leave(&stop, "").await;
            return None;
        }
        self.record.starttls = true;
        self.secure().await
    }

    /// Shakes hands on a connection that is not protected yet; `None` when that has ended the session.
    pub async fn secure(self: Box<Self>) -> Option<Box<Self>> {
        let Client {
            mut info,
            name,
            mut record,
            service,
            worker,
            wire,
            acceptor,
            account,
            permit,
            errors,
            failures,
            attempts,
            until,
            timer,
        } = *self;
        let (Stream::Plain(socket), Some(acceptor)) = (wire.stream, acceptor) else {
            return None;
        };
        match acceptor.accept(socket).await {
            Ok(stream) => {
                match stream.info().peer.rejection() {
                    Some(rejection) => worker.stats.handshake_failed(rejection.reason),
                    None => worker
                        .stats
                        .handshake(stream.info().protocol, stream.info().resumed),
                }
                info.tls = Some(Rc::new(stream.info().clone()));
                record.secured(&info);
                let wire = Wire::new(Stream::Tls(Box::new(stream)));
                let secured = Client {
                    wire,
                    info,
                    name,
                    acceptor: None,
                    service,
                    worker,
                    record,
                    account,
                    permit,
                    errors,
                    failures,
                    attempts,
                    until,
                    timer,
                };
                Box::new(secured).certified().await
            }
            Err(error) => {
                handshake::failed(&worker.stats, &service.name, info.peer, &error);
                record.end(Stop::Handshake.side(), Stop::Handshake.reason());
                None
            }
        }
    }

    /// Turns the client away if it has not shown a certificate where it must, or has shown one that is not good. The
    /// handshake lets it pass, so that it can be told why.
    async fn certified(self: Box<Self>) -> Option<Box<Self>> {
        let peer = self.info.tls.as_ref().map(|tls| &tls.peer);
        let why = match peer {
            Some(Peer::Rejected(rejection)) => {
                self.log_rejection(rejection);
                Refused::BadCertificate
            }
            Some(Peer::Verified(_)) => return Some(self),
            _ if !self.service.wants_certificate => return Some(self),
            _ => {
                self.log_missing_certificate();
                Refused::NoCertificate
            }
        };
        Box::pin(turn_away(self, why)).await;
        None
    }

    fn log_rejection(&self, rejection: &Rejection) {
        let help = match rejection.help.as_str() {
            "" => "give the client a certificate that an authority in `client_auth.ca` has issued",
            help => help,
        };
        tracing::warn!(
            client = %self.info.peer, listener = %self.service.name, reason = rejection.reason.as_str(), help,
            "client turned away: {}; expected a good certificate, or none with `client_auth.mode = \"optional\"`",
            rejection.message
        );
    }

    fn log_missing_certificate(&self) {
        tracing::warn!(
            client = %self.info.peer, listener = %self.service.name,
            help = "the listener has `client_auth = { mode = \"required\" }`: give the client a certificate of its CA",
            "client turned away: it has shown no certificate"
        );
    }

    /// Says the last words, closes, and writes the line of the log.
    pub async fn leave(mut self: Box<Self>, stop: &Stop, words: &str) {
        self.dismiss(words).await;
        self.record.end(stop.side(), stop.reason());
    }

    /// Says the last words and closes.
    pub async fn dismiss(&mut self, words: &str) {
        if !words.is_empty() {
            // It may have left already, and nobody waits long for it to listen.
            let _ = within(LAST_WORDS, self.wire.send(words.as_bytes())).await;
        }
        let _ = within(LAST_WORDS, self.wire.finish()).await;
    }
}

/// Another server stays as long as it has mail.
const OTHER_SERVER: Duration = Duration::from_secs(3600);

/// Bytes a client may send ahead while its login is under way.
pub const AHEAD: usize = 16 * 1024;

/// How long a client may take to listen to its last reply.
const LAST_WORDS: Duration = Duration::from_secs(2);
