//! An SMTP session at its server. Every command of the client is understood before it is passed on, in both directions
//! with pipelining; a message is passed on while its end is looked for. At most a few 10 KiB are held.

mod answers;
mod commands;
mod content;
mod deliver;
mod quarantine;
mod units;
mod verdict;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::time::{sleep_until, timeout};

use self::content::Keeper;
use super::framer::Framer;
use super::parameters::path;
use super::replies::{Asked, Replies, offered};
use super::transaction::Transaction;
use crate::backend::Backend;
use crate::capabilities::Offers;
use crate::client::{Client, Stop};
use crate::rehome::Leave;
use crate::service::Pool;
use crate::wire::Wire;

/// Bytes of a message read at once.
const OF_BODY: usize = 32 * 1024;

/// Commands whose answers may be due before more are read.
const MOST_DUE: usize = 256;

/// Why a session ends whose client sent a message although the server had refused to take one.
const TALKED_ON: &str = "early_message";

/// How long either side may take to listen at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A session at its server.
pub struct Relay {
    client: Client,
    server: Wire,
    framer: Framer,
    replies: Replies,
    offers: Offers,
    now: Transaction,
    to_server: BytesMut,
    to_client: BytesMut,
    /// MX mode: the servers this session goes to.
    pool: Option<Arc<Pool>>,
    /// A message beyond its limit is read to its end and dropped.
    dropping: bool,
    /// The name the client gave.
    helo: String,
    /// Keeps messages until they have been judged, under a policy.
    keeper: Option<Keeper>,
    /// The user's own server may be back.
    leave: Leave,
    over: Option<Stop>,
}

impl Relay {
    /// A session of a client that has logged in, or that needs not.
    pub fn new(
        client: Client,
        backend: Backend,
        pool: Option<Arc<Pool>>,
        helo: String,
    ) -> (Self, impl Sized) {
        let settings = &client.service.settings.smtp;
        let offers = offered(&backend.offers, &client.service);
        let keeper = client.service.policy.as_ref().map(Keeper::new);
        let framer = Framer::new(settings.bare_lf == alb_conf::BareLf::Fix);
        let leave = Leave::new(backend.away, client.record.id(), &client.worker);
        let relay = Relay {
            client,
            server: backend.wire,
            framer,
            replies: Replies::default(),
            offers,
            now: Transaction::default(),
            to_server: BytesMut::new(),
            to_client: BytesMut::new(),
            pool,
            dropping: false,
            helo,
            keeper,
            leave,
            over: None,
        };
        (relay, backend.active)
    }

    /// Passes on a MAIL that the client believes has been accepted, and the RCPT that has chosen the server.
    pub fn replay(&mut self, mail: &[u8], rcpt: &[u8]) {
        self.now.begin(path(mail));
        self.pass(mail, Asked::HeldMail);
        self.now.ask(path(rcpt));
        self.pass(rcpt, Asked::Rcpt);
    }

    /// Carries the session to its end.
    pub async fn run(mut self) {
        let stop = match self.carry().await {
            Ok(()) => self.over.take().unwrap_or(Stop::Quit),
            Err(stop) => stop,
        };
        let words = self.last_words(&stop);
        // What has been answered before goes before.
        self.replies.settle(&mut self.to_client);
        let _ = timeout(LAST_WORDS, self.client.wire.send(&self.to_client)).await;
        self.client.record.messages = self.now.messages;
        // Without a last dot the server drops a message that is not whole.
        let _ = timeout(LAST_WORDS, self.server.finish()).await;
        self.client.leave(&stop, words).await;
    }

    async fn carry(&mut self) -> Result<(), Stop> {
        loop {
            self.take_replies()?;
            self.take_units()?;
            self.flush().await?;
            if self.over.is_some() {
                return Ok(());
            }
            // Sessions are many, and few of them have a message under a policy: those hold the memory for it.
            if self.is_due() && Box::pin(self.keep()).await? {
                continue;
            }
            if self.client.worker.drain.is_draining() && self.is_between() {
                return Err(Stop::Draining);
            }
            if self.leave.is_over() && self.is_between() {
                return Err(Stop::Rehomed);
            }
            self.wait().await?;
        }
    }

    /// Waits for either side to say more.
    async fn wait(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + self.patience();
        let in_body = self.framer.is_in_body();
        if !in_body {
            self.client.wire.let_go();
        }
        let more = self.client.wire.buffer.len() < OF_BODY && self.replies.len() < MOST_DUE;
        let drain = &self.client.worker.drain;
        let begun = async {
            match drain.is_draining() {
                true => std::future::pending().await,
                false => drain.begun().await,
            }
        };
        tokio::select! {
            filled = self.server.fill() => match filled? {
                0 => Err(Stop::Violation("server_closed")),
                _ => Ok(()),
            },
            filled = more_of(&mut self.client.wire, in_body), if more => match filled? {
                0 => Err(Stop::Closed),
                _ => Ok(()),
            },
            () = sleep_until(deadline.into()) => Err(Stop::Idle),
            () = begun => Ok(()),
            () = self.leave.over() => Ok(()),
        }
    }

    fn patience(&self) -> Duration {
        let times = &self.client.service.settings.timeouts;
        match self.replies.next() {
            Some(Asked::End | Asked::Chunk(_)) => *times.delivery,
            _ if self.framer.is_in_body() => *times.data,
            _ => self.client.service.idle(),
        }
    }

    /// No message is under way and no answer is due.
    fn is_between(&self) -> bool {
        self.framer.is_at_lines()
            && self.replies.len() == 0
            && !self.now.open
            && self.client.wire.buffer.is_empty()
    }

    async fn flush(&mut self) -> Result<(), Stop> {
        let most = *self.client.service.settings.timeouts.data;
        let sending = async {
            if !self.to_server.is_empty() {
                self.client.record.received += self.to_server.len() as u64;
                self.server
                    .send(&self.to_server)
                    .await
                    .map_err(|_| Stop::Violation("server_closed"))?;
                // A session that waits for the next message keeps no room for it.
                self.to_server = BytesMut::new();
            }
            if !self.to_client.is_empty() {
                self.client.record.sent += self.to_client.len() as u64;
                self.client.wire.send(&self.to_client).await?;
                self.to_client = BytesMut::new();
            }
            Ok(())
        };
        timeout(most, sending).await.unwrap_or(Err(Stop::Idle))
    }

    /// The last reply, if the client is owed one.
    fn last_words(&self, stop: &Stop) -> &'static str {
        match stop {
            Stop::Idle => "421 4.4.2 Timeout, closing connection\r\n",
            Stop::Rehomed => "421 4.3.2 Your server is back, try again\r\n",
            Stop::Draining => "421 4.3.2 Shutting down, try again later\r\n",
            Stop::TooManyErrors => "421 4.7.0 Too many errors\r\n",
            Stop::TooLong => "500 5.5.2 Line too long\r\n",
            Stop::Violation("message_too_large") => "552 5.3.4 Message too large\r\n",
            Stop::Violation("chunk_size_lost") => "501 5.5.4 Malformed argument\r\n",
            Stop::Violation("server_closed" | "server_malformed") => {
                "421 4.4.2 Lost connection to the mail server\r\n"
            }
            Stop::Violation(TALKED_ON) => "503 5.5.0 Improper use of SMTP command pipelining\r\n",
            Stop::Violation("bare_line_end") => "521 5.5.2 Lines must end with CRLF\r\n",
            _ => "",
        }
    }
}

/// Reads commands, or much of a message.
async fn more_of(client: &mut Wire, in_body: bool) -> io::Result<usize> {
    match in_body {
        true => client.fill_by(OF_BODY).await,
        false => client.fill().await,
    }
}
