//! A message as the audit log tells it: one line for each that a client has sent to its end.

use std::time::SystemTime;

use alb_conf::AccessFormat;

use super::Record;
use super::line::Line;

/// Recipients that are named; `rcpt_count` says how many there are.
const NAMED: usize = 100;

/// What is known of a message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The sender of the envelope, without its brackets; empty for bounces.
    pub mail_from: String,
    /// The recipients that the server has taken.
    pub recipients: Vec<String>,
    /// Bytes of the message.
    pub size: u64,
    /// What the server, or the policy, said to its end.
    pub queue_reply: String,
    /// What each of several servers said to its end.
    pub replies: Vec<String>,
    /// The policy that looked at it; empty without one.
    pub policy: String,
    /// What the policy did; empty without one.
    pub action: &'static str,
    /// The policy's name for the message, which is also told to the client.
    pub id: String,
}

impl Message {
    pub(super) fn write(&self, record: &Record, out: &mut Vec<u8>, format: AccessFormat) {
        let mut line = Line::begin(out, format, SystemTime::now(), "message");
        record.write_client(&mut line);
        line.text("user", &record.login.user);
        line.text("mail_from", &self.mail_from);
        line.plain("rcpt_count", self.recipients.len());
        line.list("rcpt", &self.recipients[..self.recipients.len().min(NAMED)]);
        line.plain("size", self.size);
        line.text("queue_reply", &self.queue_reply);
        line.list("replies", &self.replies);
        line.text("policy", &self.policy);
        line.text("action", self.action);
        line.text("id", &self.id);
        line.end();
    }
}
