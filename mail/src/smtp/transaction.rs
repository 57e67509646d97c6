//! What a client has done in the message it is about to send, and in the session: what limits count. No I/O.

/// Counts of a session.
#[derive(Debug, Default)]
pub struct Transaction {
    /// MAIL has been passed on.
    pub open: bool,
    /// RCPT commands passed on and not refused.
    pub recipients: u32,
    /// Bytes of the message so far.
    pub size: u64,
    /// Messages passed on to their end.
    pub messages: u32,
}

impl Transaction {
    /// The message is over, sent or given up.
    pub fn reset(&mut self) {
        *self = Transaction {
            messages: self.messages,
            ..Transaction::default()
        };
    }
}
