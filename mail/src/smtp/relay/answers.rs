//! What the server says: it goes to the client, and tells where in a message the session is.

use super::super::replies::Asked;
use super::super::reply::Reply;
use super::{Relay, TALKED_ON};
use crate::client::Stop;

impl Relay {
    /// Takes the replies that have come.
    pub(super) fn take_replies(&mut self) -> Result<(), Stop> {
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
            // The body of a client that did not wait would be commands.
            Asked::Data if !self.client.wire.buffer.is_empty() => {
                self.over = Some(Stop::Violation(TALKED_ON));
            }
            Asked::Data => self.framer.lines(),
            Asked::Rcpt => self.now.answered(reply.is_positive()),
            Asked::Mail if !reply.is_positive() => self.now.open = false,
            Asked::End | Asked::Chunk(true) => {
                self.concluded(
                    reply.is_positive(),
                    format!("{} {}", reply.code, reply.text()),
                );
            }
            Asked::Quit => self.over = Some(Stop::Quit),
            _ => {}
        }
    }

    /// A message has been taken or refused, with these words.
    pub(super) fn concluded(&mut self, taken: bool, said: String) {
        if let Some(message) = self.now.concluded(taken, said) {
            self.client.record.message(&message);
        }
    }
}
