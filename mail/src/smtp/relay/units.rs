//! What the client says: commands and messages, as far as they have come.

use bytes::BytesMut;

use super::super::framer::{Unit, Violation};
use super::super::replies::Asked;
use super::{MOST_DUE, Relay};
use crate::client::Stop;

impl Relay {
    /// Takes what has come.
    pub(super) fn take_units(&mut self) -> Result<(), Stop> {
        while self.over.is_none() && self.replies.len() < MOST_DUE && !self.is_due() {
            let unit = self
                .framer
                .next(&mut self.client.wire.buffer)
                .map_err(violated)?;
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

    /// Something else comes first.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some()
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
}

/// Why the session ends after bytes that cannot be told from something else.
pub(super) fn violated(violation: Violation) -> Stop {
    match violation {
        Violation::TooLong => Stop::TooLong,
        Violation::Unsound => Stop::Violation("bare_line_end"),
    }
}
