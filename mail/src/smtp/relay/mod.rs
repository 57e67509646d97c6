//! An SMTP session at its server. Every command of the client is understood before it is passed on, in both directions
//! with pipelining; a message is passed on while its end is looked for. At most a few 10 KiB are held.

mod answers;
mod branch;
mod commands;
mod content;
mod deliver;
mod elsewhere;
mod fanout;
mod mx;
mod quarantine;
mod units;
mod verdict;
mod vigil;

use std::io;
use std::time::{Duration, Instant};

use alb_core::stream::LASTING;
use alb_core::upstream::Active;
use bytes::BytesMut;
use tokio::time::sleep_until;

use self::content::{Due, Keeper};
pub use self::mx::{Freed, Mx};
use super::framer::Framer;
use super::parameters::path;
use super::replies::{Asked, Replies};
use super::transaction::Transaction;
use crate::backend::Backend;
use crate::capabilities::Offers;
use crate::client::{Client, Stop};
use crate::rehome::Leave;
use crate::wire::{Wire, within};

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
    client: Box<Client>,
    server: Wire,
    framer: Framer,
    replies: Replies,
    offers: Offers,
    now: Transaction,
    to_server: BytesMut,
    to_client: BytesMut,
    /// MX mode: where messages go.
    mx: Option<Box<Mx>>,
    /// A message beyond its limit is read to its end and dropped.
    dropping: bool,
    /// The name the client gave.
    helo: String,
    /// Keeps messages that do not go on as they come.
    keeper: Option<Keeper>,
    /// What comes before anything else that the client says.
    due: Option<Due>,
    /// The user's own server may be back.
    leave: Leave,
    /// The kernel watches over the connection to the server.
    watched: bool,
    over: Option<Stop>,
}

impl Relay {
    /// A session of a client that has logged in, or that needs not. In a box: futures would hold it once for each of them
    /// that it passes through.
    pub fn new(
        client: Box<Client>,
        backend: Backend,
        mx: Option<Mx>,
        helo: String,
    ) -> (Box<Self>, Active) {
        let settings = &client.service.settings.smtp;
        let its = client
            .worker
            .promises
            .with(&client.service, &backend.offers)
            .offers;
        let offers = match &mx {
            Some(mx) => mx.promised.common(&its),
            None => its,
        };
        let keeper = Keeper::of(&client.service);
        let now = Transaction::after(client.record.messages);
        let framer = Framer::new(settings.bare_lf == alb_conf::BareLf::Fix);
        let leave = Leave::new(backend.away, client.record.id(), &client.worker);
        let relay = Relay {
            client,
            server: backend.wire,
            framer,
            replies: Replies::default(),
            offers,
            now,
            to_server: BytesMut::new(),
            to_client: BytesMut::new(),
            mx: mx.map(Box::new),
            dropping: false,
            helo,
            keeper,
            due: None,
            leave,
            watched: false,
            over: None,
        };
        (Box::new(relay), backend.active)
    }

    /// Passes on a MAIL that the client believes has been accepted, and the RCPT that has chosen the server.
    pub fn replay(&mut self, mail: &[u8], rcpt: &[u8]) {
        self.now.begin(path(mail));
        if let Some(mx) = &mut self.mx {
            mx.hold(mail);
        }
        self.say_mail();
        self.now.ask(path(rcpt));
        self.pass(rcpt, Asked::Rcpt);
    }

    /// Carries the session to its end, or to where its next server is to be found.
    pub async fn run(mut self: Box<Self>) -> Option<Freed> {
        let carried = self.carry().await;
        if self.now.is_unanswered() {
            Box::pin(self.hear_out()).await;
        }
        self.client.record.messages = self.now.messages;
        if carried.is_ok() && self.is_free() {
            return self.free();
        }
        let stop = match carried {
            Ok(()) => self.over.take().unwrap_or(Stop::Quit),
            Err(stop) => stop,
        };
        let words = self.last_words(&stop);
        // What has been answered before goes before.
        self.replies.settle(&mut self.to_client);
        let _ = within(LAST_WORDS, self.client.wire.send(&self.to_client)).await;
        // Without a last dot the server drops a message that is not whole.
        let _ = within(LAST_WORDS, self.server.finish()).await;
        drop(self.server);
        Box::pin(self.client.leave(&stop, words)).await;
        None
    }

    async fn carry(&mut self) -> Result<(), Stop> {
        loop {
            if !self.is_free() {
                self.take_replies()?;
                self.take_units()?;
            }
            self.flush().await?;
            if self.over.is_some() || self.is_free() {
                return Ok(());
            }
            // Sessions are many, and few of them have a message that is kept: those hold the memory for it.
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
        let begun = Instant::now();
        let deadline = begun + self.patience();
        let in_body = self.framer.is_in_body();
        if !in_body {
            self.client.wire.let_go();
            self.server.let_go();
        }
        let more = self.client.wire.buffer.len() < OF_BODY && self.replies.len() < MOST_DUE;
        loop {
            let drain = &self.client.worker.drain;
            let draining = async {
                match drain.is_draining() {
                    true => std::future::pending().await,
                    false => drain.begun().await,
                }
            };
            let due = self.mx.as_ref().and_then(|mx| mx.due());
            let lasting = (!self.watched).then_some(begun + LASTING);
            let wake = [due, lasting]
                .into_iter()
                .flatten()
                .fold(deadline, Instant::min);
            tokio::select! {
                filled = self.server.fill() => return match filled? {
                    0 => Err(Stop::Violation("server_closed")),
                    _ => Ok(()),
                },
                filled = more_of(&mut self.client.wire, in_body), if more => return match filled? {
                    0 => Err(Stop::Closed),
                    _ => Ok(()),
                },
                () = sleep_until(wake.into()) => match wake {
                    _ if wake == deadline => return Err(Stop::Idle),
                    _ if Some(wake) == due => Box::pin(self.remind_others()).await,
                    _ => {
                        self.server.stream.keep_alive();
                        self.watched = true;
                    }
                },
                () = draining => return Ok(()),
                () = self.leave.over() => return Ok(()),
            }
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
        within(most, sending).await.unwrap_or(Err(Stop::Idle))
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
