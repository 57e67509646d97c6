//! An SMTP session at its server. Every command of the client is understood before it is passed on, in both directions
//! with pipelining; a message is passed on while its end is looked for. At most a few 10 KiB are held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::time::{sleep_until, timeout};

use super::command::{Command, parse};
use super::framer::{Framer, Unit, Violation};
use super::mx;
use super::parameters::{Argument, path};
use super::replies::{Asked, Replies, offered};
use super::reply::Reply;
use super::transaction::Transaction;
use crate::backend::Backend;
use crate::capabilities::Offers;
use crate::client::{Client, Stop};
use crate::service::Pool;
use crate::wire::Wire;

/// Bytes read at once: of commands, and of a message.
const OF_LINES: usize = 4 * 1024;
const OF_BODY: usize = 32 * 1024;

/// Commands whose answers may be due before more are read.
const MOST_DUE: usize = 256;

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
    over: Option<Stop>,
}

impl Relay {
    /// A session of a client that has logged in, or that needs not.
    pub fn new(client: Client, backend: Backend, pool: Option<Arc<Pool>>) -> (Self, impl Sized) {
        let settings = &client.service.settings.smtp;
        let offers = offered(&backend.offers, *settings.max_size);
        let framer = Framer::new(settings.bare_lf == alb_conf::BareLf::Fix);
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
        self.client.record.messages = self.now.messages;
        // Without a last dot the server drops a message that is not whole.
        let _ = timeout(Duration::from_secs(1), self.server.finish()).await;
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
            if self.client.worker.drain.is_draining() && self.is_between() {
                return Err(Stop::Draining);
            }
            self.wait().await?;
        }
    }

    /// Waits for either side to say more.
    async fn wait(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + self.patience();
        let room = if self.framer.is_in_body() {
            OF_BODY
        } else {
            OF_LINES
        };
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
                0 => self.server_left(),
                _ => Ok(()),
            },
            filled = self.client.wire.fill_by(room), if more => match filled? {
                0 => Err(Stop::Closed),
                _ => Ok(()),
            },
            () = sleep_until(deadline.into()) => Err(Stop::Idle),
            () = begun => Ok(()),
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

    fn server_left(&mut self) -> Result<(), Stop> {
        Err(Stop::Violation("server_closed"))
    }

    fn take_replies(&mut self) -> Result<(), Stop> {
        while let Some(reply) =
            Reply::take(&mut self.server.buffer).map_err(|_| Stop::Violation("server_malformed"))?
        {
            let hostname = &self.client.service.hostname;
            let answered = self
                .replies
                .take(&reply, &self.offers, hostname, &mut self.to_client);
            match answered {
                Some(asked) => self.answered(asked, &reply),
                // Servers say 421 unasked when they have had enough (RFC 5321 § 3.8).
                None => self.over = Some(Stop::Violation("server_left")),
            }
            if reply.code == 421 {
                self.over = Some(Stop::Violation("server_left"));
            }
        }
        Ok(())
    }

    fn answered(&mut self, asked: Asked, reply: &Reply) {
        match asked {
            Asked::Data if reply.code == 354 => self.framer.data(),
            // The body that a client sent all the same would be commands; it has to wait for this.
            Asked::Data => self.framer.lines(),
            Asked::Rcpt => self.now.answered(reply.is_positive()),
            Asked::Mail if !reply.is_positive() => self.now.open = false,
            Asked::End | Asked::Chunk(true) => {
                let said = format!("{} {}", reply.code, reply.text());
                if let Some(message) = self.now.concluded(reply.is_positive(), said) {
                    self.client.record.message(&message);
                }
            }
            Asked::Quit => self.over = Some(Stop::Quit),
            _ => {}
        }
    }

    fn take_units(&mut self) -> Result<(), Stop> {
        while self.over.is_none() && self.replies.len() < MOST_DUE {
            let unit = self
                .framer
                .next(&mut self.client.wire.buffer)
                .map_err(|violation| match violation {
                    Violation::TooLong => Stop::TooLong,
                    Violation::Unsound => Stop::Violation("bare_line_end"),
                })?;
            match unit {
                None => break,
                Some(Unit::Line(line)) => self.command(&line)?,
                Some(Unit::Data(bytes, last)) => {
                    self.body(bytes)?;
                    if last {
                        self.replies.ask(Asked::End);
                        self.now.end();
                    }
                }
                Some(Unit::Chunk(bytes, whole)) => {
                    self.body(bytes)?;
                    if whole && self.now.last_chunk {
                        self.now.end();
                    }
                }
            }
        }
        self.replies.settle(&mut self.to_client);
        Ok(())
    }

    fn body(&mut self, bytes: BytesMut) -> Result<(), Stop> {
        if self.dropping {
            return Ok(());
        }
        self.now.size += bytes.len() as u64;
        if self.now.size > *self.client.service.settings.smtp.max_size {
            return Err(Stop::Violation("message_too_large"));
        }
        match self.to_server.is_empty() {
            true => self.to_server = bytes,
            false => self.to_server.extend_from_slice(&bytes),
        }
        Ok(())
    }

    fn command(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.dropping = false;
        match parse(line) {
            Command::Ehlo(_) => self.anew(line, Asked::Ehlo),
            Command::Helo(_) | Command::Rset => self.anew(line, Asked::Other),
            Command::Noop => self.pass(b"NOOP", Asked::Other),
            Command::Quit => self.pass(line, Asked::Quit),
            Command::Mail(argument) => self.mail(line, argument)?,
            Command::Rcpt(argument) => self.rcpt(line, argument)?,
            Command::Data => {
                self.pass(line, Asked::Data);
                self.framer.wait();
            }
            Command::Bdat(size, last) => self.bdat(line, size, last)?,
            Command::LostSize => return Err(Stop::Violation("chunk_size_lost")),
            Command::Vrfy => self
                .replies
                .answer("252 2.5.2 Cannot verify, send some mail"),
            Command::Help => self.replies.answer("214 2.0.0 See RFC 5321"),
            Command::Auth(..) | Command::Starttls => self.refuse("503 5.5.1 Not at this point")?,
            Command::Other(verb) if self.is_extra(verb) => self.pass(line, Asked::Other),
            Command::Other(_) => self.refuse("500 5.5.1 Unknown command")?,
            Command::Malformed => self.refuse("501 5.5.4 Malformed argument")?,
        }
        Ok(())
    }

    fn mail(&mut self, line: &[u8], argument: &[u8]) -> Result<(), Stop> {
        let settings = &self.client.service.settings.smtp;
        if self.now.messages >= settings.max_messages {
            return self.refuse("450 4.7.1 Too many messages in one session");
        }
        let checked = Argument::read(argument).and_then(|read| {
            read.check_mail(&self.offers, *settings.max_size)?;
            Ok(read.path)
        });
        match checked {
            Ok(sender) => {
                self.now.begin(sender);
                self.pass(line, Asked::Mail);
                Ok(())
            }
            Err(refused) => self.refuse(refused),
        }
    }

    fn rcpt(&mut self, line: &[u8], argument: &[u8]) -> Result<(), Stop> {
        if self.now.recipients >= self.client.service.settings.smtp.max_recipients {
            self.replies.answer("452 4.5.3 Too many recipients");
            return Ok(());
        }
        let checked = Argument::read(argument).and_then(|read| {
            read.check_rcpt(&self.offers)?;
            self.check_pool(read.path)?;
            Ok(read.path)
        });
        match checked {
            Ok(recipient) => {
                self.now.ask(recipient);
                self.pass(line, Asked::Rcpt);
                Ok(())
            }
            Err(refused) => self.refuse(refused),
        }
    }

    /// MX mode: mail for this recipient is taken, and goes to the same servers.
    fn check_pool(&self, path: &[u8]) -> Result<(), &'static str> {
        let (Some(pool), Some(domains)) = (&self.pool, self.client.service.mx()) else {
            return Ok(());
        };
        let its = mx::pool_for(&self.client.service, domains, path)?;
        match Arc::ptr_eq(its, pool) {
            true => Ok(()),
            false => Err(mx::ANOTHER_POOL),
        }
    }

    fn bdat(&mut self, line: &[u8], size: u64, last: bool) -> Result<(), Stop> {
        let most = *self.client.service.settings.smtp.max_size;
        if size > most.saturating_sub(self.now.size) {
            return Err(Stop::Violation("message_too_large"));
        }
        self.framer.chunk(size);
        if !self.offers.has("CHUNKING") {
            self.dropping = true;
            return self.refuse("500 5.5.1 Unknown command");
        }
        self.pass(line, Asked::Chunk(last));
        match (last, size) {
            // Nothing follows it.
            (true, 0) => self.now.end(),
            _ => self.now.last_chunk = last,
        }
        Ok(())
    }

    fn anew(&mut self, line: &[u8], asked: Asked) {
        self.now.reset();
        self.pass(line, asked);
    }

    fn pass(&mut self, line: &[u8], asked: Asked) {
        self.to_server.extend_from_slice(line);
        self.to_server.extend_from_slice(b"\r\n");
        self.replies.ask(asked);
    }

    fn refuse(&mut self, reply: &str) -> Result<(), Stop> {
        self.replies.answer(reply);
        self.client.mistake()
    }

    fn is_extra(&self, verb: &[u8]) -> bool {
        let extra = &self.client.service.settings.smtp.extra_verbs;
        extra
            .iter()
            .any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(verb))
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
                self.to_server.clear();
            }
            if !self.to_client.is_empty() {
                self.client.record.sent += self.to_client.len() as u64;
                self.client.wire.send(&self.to_client).await?;
                self.to_client.clear();
            }
            Ok(())
        };
        timeout(most, sending).await.unwrap_or(Err(Stop::Idle))
    }

    /// The last reply, if the client is owed one.
    fn last_words(&self, stop: &Stop) -> &'static str {
        match stop {
            Stop::Idle => "421 4.4.2 Timeout, closing connection\r\n",
            Stop::Draining => "421 4.3.2 Shutting down, try again later\r\n",
            Stop::TooManyErrors => "421 4.7.0 Too many errors\r\n",
            Stop::TooLong => "500 5.5.2 Line too long\r\n",
            Stop::Violation("message_too_large") => "552 5.3.4 Message too large\r\n",
            Stop::Violation("chunk_size_lost") => "501 5.5.4 Malformed argument\r\n",
            Stop::Violation("server_closed" | "server_malformed") => {
                "421 4.4.2 Lost connection to the mail server\r\n"
            }
            Stop::Violation("bare_line_end") => "521 5.5.2 Lines must end with CRLF\r\n",
            _ => "",
        }
    }
}
