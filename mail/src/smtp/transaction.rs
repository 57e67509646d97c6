//! What a client has done in the message it is about to send, and in the session: what limits count, and what the audit
//! log tells of each message. No I/O.
//!
//! A client may begin its next message before the server has answered the last one (RFC 2920 § 3.1), so answers are
//! matched with the message they belong to.

use std::collections::VecDeque;

use crate::audit::Message;

/// Counts of a session.
#[derive(Debug, Default)]
pub struct Transaction {
    /// MAIL has been passed on.
    pub open: bool,
    /// The server has taken the sender: it takes no second one.
    pub accepted: bool,
    /// RCPT commands passed on and not refused.
    pub recipients: u32,
    /// Bytes of the message so far.
    pub size: u64,
    /// Messages passed on to their end.
    pub messages: u32,
    /// Chunks of the message have been passed on.
    pub chunked: bool,
    /// The chunk under way is the last of its message.
    pub last_chunk: bool,
    /// Which message of the session it is.
    number: u32,
    message: Message,
    /// Recipients that the server has not answered, with the number of their message.
    asked: VecDeque<(u32, String)>,
    /// Messages that the client has ended and the server has not answered, with their numbers.
    ended: VecDeque<(u32, Message)>,
}

impl Transaction {
    /// At another server, with so many messages before.
    pub fn after(messages: u32) -> Self {
        Transaction {
            messages,
            ..Transaction::default()
        }
    }

    /// A sender has been passed on.
    pub fn begin(&mut self, sender: &[u8]) {
        self.open = true;
        self.message.mail_from = String::from_utf8_lossy(sender).into_owned();
    }

    /// A recipient has been passed on.
    pub fn ask(&mut self, recipient: &[u8]) {
        self.recipients += 1;
        let recipient = String::from_utf8_lossy(recipient).into_owned();
        self.asked.push_back((self.number, recipient));
    }

    /// The server has answered the first recipient that it had not answered.
    pub fn answered(&mut self, taken: bool) {
        let Some((number, recipient)) = self.asked.pop_front() else {
            return;
        };
        let current = number == self.number;
        if current && !taken {
            self.recipients = self.recipients.saturating_sub(1);
        }
        let ended = self.ended.iter_mut().find(|(its, _)| *its == number);
        match ended {
            Some((_, message)) if taken => message.recipients.push(recipient),
            None if taken && current => self.message.recipients.push(recipient),
            _ => {}
        }
    }

    /// The message under way.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// A policy has looked at the message under way.
    pub fn judged(&mut self, policy: &str, action: &'static str, id: &str) {
        policy.clone_into(&mut self.message.policy);
        self.message.action = action;
        id.clone_into(&mut self.message.id);
    }

    /// The message under way has gone to several servers, which have said this.
    pub fn fanned(&mut self, verdicts: Vec<String>) {
        self.message.replies = verdicts;
    }

    /// The client has sent its message to the end.
    pub fn end(&mut self) {
        let mut message = std::mem::take(&mut self.message);
        message.size = self.size;
        self.ended.push_back((self.number, message));
        self.reset();
    }

    /// The server's reply to the first message that it had not answered: what the log tells of it.
    pub fn concluded(&mut self, taken: bool, reply: String) -> Option<Message> {
        self.messages += u32::from(taken);
        let (_, mut message) = self.ended.pop_front()?;
        message.queue_reply = reply;
        Some(message)
    }

    /// Messages that the client has ended and the server has said nothing about.
    pub fn unanswered(&mut self) -> impl Iterator<Item = Message> {
        self.ended.drain(..).map(|(_, message)| message)
    }

    /// Whether there is any such message.
    pub fn is_unanswered(&self) -> bool {
        !self.ended.is_empty()
    }

    /// The message is over, sent or given up. What the server will still say of it is expected.
    pub fn reset(&mut self) {
        *self = Transaction {
            messages: self.messages,
            number: self.number.wrapping_add(1),
            asked: std::mem::take(&mut self.asked),
            ended: std::mem::take(&mut self.ended),
            ..Transaction::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_belong_to_the_message_they_were_asked_for() {
        let mut now = Transaction::default();
        now.begin(b"a@x");
        now.ask(b"given up@x");
        now.reset();
        now.begin(b"b@x");
        now.ask(b"one@x");
        now.ask(b"two@x");
        now.size = 7;
        now.end();
        now.begin(b"c@x");
        now.ask(b"three@x");
        for taken in [true, false, true, true] {
            now.answered(taken);
        }
        let first = now.concluded(true, "250 queued".to_owned()).expect("ended");
        assert_eq!((first.mail_from.as_str(), first.size), ("b@x", 7));
        assert_eq!(first.recipients, ["two@x"]);
        assert_eq!((now.recipients, now.messages, now.open), (1, 1, true));
        now.end();
        let second = now.concluded(false, "451".to_owned()).expect("ended");
        assert_eq!(second.recipients, ["three@x"]);
        assert_eq!(now.messages, 1);
        assert!(now.concluded(true, String::new()).is_none());
    }
}
