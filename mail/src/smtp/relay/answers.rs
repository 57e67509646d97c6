//! What the server says: it goes to the client, and tells where in a message the session is.

use std::time::Duration;

use tokio::time::timeout;

use super::super::replies::Asked;
use super::super::reply::Reply;
use super::{Relay, TALKED_ON};
use crate::client::Stop;

/// How long a server is listened to whose client has left with its last dot.
const HEARD_OUT: Duration = Duration::from_secs(10);

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
            Asked::Mail => {
                self.now.accepted |= reply.is_positive();
                self.now.open = self.now.accepted;
            }
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

    /// What the server says to messages that were sent to their end before the session ended, for the log: it may have taken
    /// them, whoever has left.
    pub(super) async fn hear_out(&mut self) {
        let hearing = async {
            while self.now.is_unanswered() && matches!(self.server.fill().await, Ok(1..)) {
                if self.take_replies().is_err() {
                    return;
                }
            }
        };
        let _ = timeout(HEARD_OUT, hearing).await;
        for message in self.now.unanswered() {
            self.client.record.message(&message);
        }
    }

    /// A message has been taken or refused, with these words.
    pub(super) fn concluded(&mut self, taken: bool, said: String) {
        if let Some(message) = self.now.concluded(taken, said) {
            self.client.record.message(&message);
        }
    }
}
