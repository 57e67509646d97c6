//! The commands of the client: which of them pass, and what is said to the others.

use bytes::BytesMut;

use super::super::command::{Command, parse};
use super::super::mx;
use super::super::parameters::Argument;
use super::super::replies::Asked;
use super::super::words::is_of_mistake;
use super::Relay;
use super::content::{Arrival, Due, Keeper};
use super::mx::Way;
use crate::client::Stop;
use crate::limits;

impl Relay {
    /// Passes a command on, or answers it.
    pub(super) fn command(&mut self, line: &[u8]) -> Result<(), Stop> {
        self.dropping = false;
        match parse(line) {
            Command::Ehlo(name) => self.greeted(name, line, Asked::Ehlo),
            Command::Helo(name) => self.greeted(name, line, Asked::Other),
            Command::Rset => self.anew(line, Asked::Other),
            Command::Noop => self.pass(b"NOOP", Asked::Other),
            Command::Quit => {
                self.leave_others();
                self.pass(line, Asked::Quit);
            }
            Command::Mail(_) | Command::Rcpt(_) if self.has_chunks() => {
                self.refuse("503 5.5.1 Chunks have been sent")?
            }
            Command::Mail(argument) => self.mail(line, argument)?,
            Command::Rcpt(argument) => self.rcpt(line, argument)?,
            Command::Data => {
                match self.keeps() {
                    true => self.due = Some(Due::Message(Arrival::Data)),
                    false => self.pass(line, Asked::Data),
                }
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
            Ok(_) if self.mx.is_some() && self.has_sender() || self.now.accepted => {
                self.refuse("503 5.5.1 Not at this point")
            }
            Ok(sender) => {
                if let Some(over) = limits::refuse_message(&self.client) {
                    self.replies.answer(over);
                    return Ok(());
                }
                self.now.begin(sender);
                match &mut self.mx {
                    Some(mx) => {
                        mx.hold(line);
                        self.replies.answer("250 2.1.0 Ok");
                    }
                    None => self.pass(line, Asked::Mail),
                }
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
            Ok((read.path, self.way(read.path)?))
        });
        match checked {
            Ok((recipient, way)) => {
                if let Some(over) = limits::refuse_recipient(&self.client) {
                    self.replies.answer(over);
                    return Ok(());
                }
                match way {
                    Way::Here => {
                        self.now.ask(recipient);
                        self.pass(line, Asked::Rcpt);
                    }
                    Way::First => {
                        self.say_mail();
                        self.now.ask(recipient);
                        self.pass(line, Asked::Rcpt);
                    }
                    Way::Elsewhere(pool) => {
                        self.due = Some(Due::Recipient(pool, BytesMut::from(line)));
                    }
                }
                Ok(())
            }
            // A sender that obeys the standards makes no mistake.
            Err(mx::ANOTHER_POOL) => {
                self.replies.answer(mx::ANOTHER_POOL);
                Ok(())
            }
            Err(refused) => self.refuse(refused),
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
        if self.keeps() {
            self.due = Some(Due::Message(Arrival::Chunk(size, last)));
            self.framer.wait();
            return Ok(());
        }
        self.now.chunked = true;
        self.pass(line, Asked::Chunk(last));
        match (last, size) {
            // Nothing follows it.
            (true, 0) => self.now.end(),
            _ => self.now.last_chunk = last,
        }
        Ok(())
    }

    fn has_chunks(&self) -> bool {
        self.keeper.as_ref().is_some_and(Keeper::has_chunks)
    }

    fn greeted(&mut self, name: &str, line: &[u8], asked: Asked) {
        name.clone_into(&mut self.helo);
        self.anew(line, asked);
    }

    fn anew(&mut self, line: &[u8], asked: Asked) {
        if let Some(keeper) = &mut self.keeper {
            keeper.forget();
        }
        self.leave_others();
        self.now.reset();
        self.pass(line, asked);
    }

    /// Passes a line on.
    pub(super) fn pass(&mut self, line: &[u8], asked: Asked) {
        self.to_server.extend_from_slice(line);
        self.to_server.extend_from_slice(b"\r\n");
        self.replies.ask(asked);
    }

    fn refuse(&mut self, reply: &str) -> Result<(), Stop> {
        self.replies.answer(reply);
        match is_of_mistake(reply) {
            true => self.client.mistake(),
            false => Ok(()),
        }
    }

    fn is_extra(&self, verb: &[u8]) -> bool {
        let extra = &self.client.service.settings.smtp.extra_verbs;
        extra
            .iter()
            .any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(verb))
    }
}
