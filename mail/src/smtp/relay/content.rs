//! A message under a policy. MAIL and RCPT have passed as always; the message itself is kept until all of it has been
//! judged, and the server hears DATA only for one that passes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use super::super::framer::Unit;
use super::super::reply::Reply;
use super::units::violated;
use super::{OF_BODY, Relay};
use crate::client::Stop;
use crate::content::{Gathering, Policy, Unstuffer};

/// Servers wait five minutes for a command (RFC 5321 § 4.5.3.2.7); while a message comes they are told that we are here.
const ALIVE: Duration = Duration::from_secs(100);

/// How a message comes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arrival {
    /// After DATA.
    Data,
    /// In chunks; the next has this size, and may be the last.
    Chunk(u64, bool),
}

/// The side of a relay that keeps messages.
#[derive(Debug)]
pub(super) struct Keeper {
    policy: Arc<Policy>,
    /// What has come in chunks.
    gathering: Option<Gathering>,
    /// What is to come once the server has answered all that was before it.
    due: Option<Arrival>,
    /// When the server last heard of us.
    alive: Instant,
    /// Replies of the server to what it was told for that.
    owed: u32,
}

impl Keeper {
    /// Of this policy.
    pub(super) fn new(policy: &Arc<Policy>) -> Self {
        Keeper {
            policy: Arc::clone(policy),
            gathering: None,
            due: None,
            alive: Instant::now(),
            owed: 0,
        }
    }

    /// A message is to come.
    pub(super) fn expect(&mut self, arrival: Arrival) {
        self.due = Some(arrival);
    }

    /// Whether nothing of the client is understood before that message has come.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some()
    }

    /// Whether a part of a message has come in chunks.
    pub(super) fn has_chunks(&self) -> bool {
        self.gathering.is_some()
    }

    /// The client has given the message up.
    pub(super) fn forget(&mut self) {
        self.gathering = None;
    }
}

impl Relay {
    /// Takes the message that is due, if there is one and it is its turn.
    pub(super) async fn keep(&mut self) -> Result<bool, Stop> {
        let Some(keeper) = self.keeper.as_mut().filter(|_| self.replies.len() == 0) else {
            return Ok(false);
        };
        let Some(arrival) = keeper.due.take() else {
            return Ok(false);
        };
        keeper.alive = Instant::now();
        let (policy, begun) = (Arc::clone(&keeper.policy), keeper.gathering.take());
        self.framer.lines();
        match arrival {
            Arrival::Data => self.after_data(&policy, begun).await?,
            Arrival::Chunk(size, last) => self.chunk(&policy, begun, size, last).await?,
        }
        Ok(true)
    }

    async fn after_data(
        &mut self,
        policy: &Arc<Policy>,
        begun: Option<Gathering>,
    ) -> Result<(), Stop> {
        if let Some(refusal) = self.not_ready(begun.is_some()) {
            self.tell(refusal);
            return Ok(());
        }
        self.tell("354 End data with <CR><LF>.<CR><LF>");
        self.flush().await?;
        self.framer.data();
        let (mut gathering, mut unstuffer) = (Gathering::new(policy), Unstuffer::default());
        loop {
            match self
                .framer
                .next(&mut self.client.wire.buffer)
                .map_err(violated)?
            {
                None => self.more().await?,
                Some(Unit::Data(bytes, last)) => {
                    let bytes = unstuffer.take(&bytes);
                    self.grown(bytes.len())?;
                    gathering.add(bytes).await;
                    if last {
                        return self.conclude(policy, gathering).await;
                    }
                }
                Some(Unit::Line(_) | Unit::Chunk(..)) => return Err(Stop::Violation("framing")),
            }
        }
    }

    async fn chunk(
        &mut self,
        policy: &Arc<Policy>,
        begun: Option<Gathering>,
        size: u64,
        last: bool,
    ) -> Result<(), Stop> {
        let refusal = self.not_ready(false);
        let mut gathering = begun.unwrap_or_else(|| Gathering::new(policy));
        self.framer.chunk(size);
        let mut complete = size == 0;
        while !complete {
            match self
                .framer
                .next(&mut self.client.wire.buffer)
                .map_err(violated)?
            {
                None => self.more().await?,
                Some(Unit::Chunk(bytes, whole)) => {
                    complete = whole;
                    if refusal.is_none() {
                        self.grown(bytes.len())?;
                        gathering.add(bytes).await;
                    }
                }
                Some(Unit::Line(_) | Unit::Data(..)) => return Err(Stop::Violation("framing")),
            }
        }
        match (refusal, last) {
            (Some(refusal), _) => self.tell(refusal),
            (None, true) => self.conclude(policy, gathering).await?,
            (None, false) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.gathering = Some(gathering);
                }
                self.tell(&format!("250 2.0.0 {size} bytes received"));
            }
        }
        Ok(())
    }

    /// Why no message can come now.
    fn not_ready(&self, has_chunks: bool) -> Option<&'static str> {
        match (self.now.open, self.now.recipients, has_chunks) {
            (_, _, true) => Some("503 5.5.1 Chunks have been sent"),
            (false, ..) => Some("503 5.5.1 MAIL comes first"),
            (true, 0, _) => Some("554 5.5.1 No valid recipients"),
            _ => None,
        }
    }

    fn grown(&mut self, bytes: usize) -> Result<(), Stop> {
        self.now.size += bytes as u64;
        match self.now.size > *self.client.service.settings.smtp.max_size {
            true => Err(Stop::Violation("message_too_large")),
            false => Ok(()),
        }
    }

    /// Waits for the client to send more, while the server is kept waiting.
    async fn more(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + *self.client.service.settings.timeouts.data;
        loop {
            let alive = self
                .keeper
                .as_ref()
                .map_or(deadline, |keeper| keeper.alive + ALIVE);
            tokio::select! {
                filled = self.server.fill() => match filled {
                    Ok(0) | Err(_) => return Err(Stop::Violation("server_closed")),
                    Ok(_) => self.heard()?,
                },
                filled = self.client.wire.fill_by(OF_BODY) => return match filled? {
                    0 => Err(Stop::Closed),
                    _ => Ok(()),
                },
                () = sleep_until(deadline.into()) => return Err(Stop::Idle),
                () = sleep_until(alive.into()) => self.we_are_here().await?,
            }
        }
    }

    /// Keeps the server waiting.
    pub(super) async fn we_are_here(&mut self) -> Result<(), Stop> {
        let sent = self.server.send(b"NOOP\r\n").await;
        sent.map_err(|_| Stop::Violation("server_closed"))?;
        if let Some(keeper) = &mut self.keeper {
            keeper.alive = Instant::now();
            keeper.owed += 1;
        }
        Ok(())
    }

    /// Takes the replies that are owed; any other means that the server has had enough.
    fn heard(&mut self) -> Result<(), Stop> {
        while let Some(reply) =
            Reply::take(&mut self.server.buffer).map_err(|_| Stop::Violation("server_malformed"))?
        {
            let keeper = self
                .keeper
                .as_mut()
                .filter(|keeper| keeper.owed > 0 && reply.code != 421);
            keeper.ok_or(Stop::Violation("server_closed"))?.owed -= 1;
        }
        Ok(())
    }

    /// Reads the replies that are owed.
    pub(super) async fn settle_owed(&mut self) -> Result<(), Stop> {
        loop {
            self.heard()?;
            if self.keeper.as_ref().is_none_or(|keeper| keeper.owed == 0) {
                return Ok(());
            }
            match timeout(Duration::from_secs(30), self.server.fill()).await {
                Ok(Ok(1..)) => {}
                _ => return Err(Stop::Violation("server_closed")),
            }
        }
    }

    /// Says something of our own.
    pub(super) fn tell(&mut self, reply: &str) {
        self.to_client.extend_from_slice(reply.as_bytes());
        self.to_client.extend_from_slice(b"\r\n");
    }
}
