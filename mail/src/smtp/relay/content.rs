//! A message that is kept: MAIL and RCPT have passed as always; the message itself is kept until all of it has come, and
//! judged where a policy says so. Servers hear DATA only for one that passes.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use tokio::time::sleep_until;

use super::super::framer::Unit;
use super::elsewhere::LOST;
use super::units::violated;
use super::vigil::Vigil;
use super::{OF_BODY, Relay, TALKED_ON};
use crate::client::Stop;
use crate::content::{Gathering, Policy, Store, Unstuffer};
use crate::service::{Pool, Service};

/// What is to be done once the server has answered all that was before it; nothing of the client is understood till then.
pub(super) enum Due {
    /// A message is to come that is kept.
    Message(Arrival),
    /// RCPT, for servers that may be others.
    Recipient(Arc<Pool>, BytesMut),
}

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
    /// Judges all of them.
    policy: Option<Arc<Policy>>,
    store: Arc<Store>,
    /// What has come in chunks.
    gathering: Option<Gathering>,
    /// The server waits meanwhile.
    pub(super) vigil: Vigil,
}

impl Keeper {
    /// For a listener that keeps messages.
    pub(super) fn of(service: &Service) -> Option<Self> {
        Some(Keeper {
            policy: service.policy.clone(),
            store: Arc::clone(service.store.as_ref()?),
            gathering: None,
            vigil: Vigil::begin(),
        })
    }

    /// Whether a part of a message has come in chunks.
    pub(super) fn has_chunks(&self) -> bool {
        self.gathering.is_some()
    }

    /// The client has given the message up.
    pub(super) fn forget(&mut self) {
        self.gathering = None;
    }

    fn gathering(&mut self) -> Gathering {
        self.gathering.take().unwrap_or_else(|| match self.policy {
            Some(_) => Gathering::judged(&self.store),
            None => Gathering::kept(&self.store),
        })
    }
}

impl Relay {
    /// Whether the message that comes now is kept: it is to be judged, or goes to several servers.
    pub(super) fn keeps(&self) -> bool {
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| {
            self.is_fanned() || keeper.policy.is_some() || keeper.has_chunks()
        })
    }

    /// Takes what is due, if there is something and it is its turn.
    pub(super) async fn keep(&mut self) -> Result<bool, Stop> {
        if self.replies.len() > 0 {
            return Ok(false);
        }
        match self.due.take() {
            None => return Ok(false),
            Some(Due::Recipient(pool, line)) => self.recipient(&pool, &line).await?,
            Some(Due::Message(arrival)) => self.message(arrival).await?,
        }
        Ok(true)
    }

    async fn message(&mut self, arrival: Arrival) -> Result<(), Stop> {
        let refusal = self.not_ready(arrival);
        self.framer.lines();
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        keeper.vigil.told();
        let policy = keeper.policy.clone();
        let policy = policy.as_ref();
        match (arrival, refusal) {
            (Arrival::Data, Some(refusal)) => {
                self.tell(refusal);
                if !self.client.wire.buffer.is_empty() {
                    // The body of a client that did not wait would be commands.
                    self.over = Some(Stop::Violation(TALKED_ON));
                }
                Ok(())
            }
            (Arrival::Data, None) => {
                let gathering = keeper.gathering();
                self.after_data(policy, gathering).await
            }
            (Arrival::Chunk(size, _), Some(refusal)) => self.drop_chunk(size, refusal).await,
            (Arrival::Chunk(size, last), None) => {
                let gathering = keeper.gathering();
                self.chunk(policy, gathering, size, last).await
            }
        }
    }

    async fn after_data(
        &mut self,
        policy: Option<&Arc<Policy>>,
        mut gathering: Gathering,
    ) -> Result<(), Stop> {
        self.tell("354 End data with <CR><LF>.<CR><LF>");
        self.flush().await?;
        self.framer.data();
        let mut unstuffer = Unstuffer::default();
        loop {
            match self.next_unit().await? {
                Unit::Data(bytes, last) => {
                    let bytes = unstuffer.take(&bytes);
                    self.grown(bytes.len())?;
                    gathering.add(bytes).await;
                    if last {
                        return self.conclude(policy, gathering).await;
                    }
                }
                Unit::Line(_) | Unit::Chunk(..) => return Err(Stop::Violation("framing")),
            }
        }
    }

    async fn chunk(
        &mut self,
        policy: Option<&Arc<Policy>>,
        mut gathering: Gathering,
        size: u64,
        last: bool,
    ) -> Result<(), Stop> {
        self.framer.chunk(size);
        let mut complete = size == 0;
        while !complete {
            let (bytes, whole) = self.next_of_chunk().await?;
            complete = whole;
            self.grown(bytes.len())?;
            gathering.add(bytes).await;
        }
        if last {
            return self.conclude(policy, gathering).await;
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.gathering = Some(gathering);
        }
        self.tell(&format!("250 2.0.0 {size} bytes received"));
        Ok(())
    }

    /// Reads a chunk that nobody wants.
    async fn drop_chunk(&mut self, size: u64, refusal: &str) -> Result<(), Stop> {
        self.framer.chunk(size);
        let mut complete = size == 0;
        while !complete {
            (_, complete) = self.next_of_chunk().await?;
        }
        self.tell(refusal);
        Ok(())
    }

    async fn next_of_chunk(&mut self) -> Result<(BytesMut, bool), Stop> {
        match self.next_unit().await? {
            Unit::Chunk(bytes, whole) => Ok((bytes, whole)),
            Unit::Line(_) | Unit::Data(..) => Err(Stop::Violation("framing")),
        }
    }

    async fn next_unit(&mut self) -> Result<Unit, Stop> {
        loop {
            let unit = self.framer.next(&mut self.client.wire.buffer);
            match unit.map_err(violated)? {
                Some(unit) => return Ok(unit),
                None => self.more().await?,
            }
        }
    }

    /// Why no message can come now.
    fn not_ready(&self, arrival: Arrival) -> Option<&'static str> {
        let has_chunks = self.keeper.as_ref().is_some_and(Keeper::has_chunks);
        let lost = self.mx.as_ref().is_some_and(|mx| mx.lost);
        match (arrival, self.now.open, self.now.recipients) {
            (Arrival::Data, ..) if has_chunks => Some("503 5.5.1 Chunks have been sent"),
            (_, false, _) => Some("503 5.5.1 MAIL comes first"),
            (_, true, 0) => Some("554 5.5.1 No valid recipients"),
            _ => lost.then_some(LOST),
        }
    }

    fn grown(&mut self, bytes: usize) -> Result<(), Stop> {
        self.now.size += bytes as u64;
        match self.now.size > *self.client.service.settings.smtp.max_size {
            true => Err(Stop::Violation("message_too_large")),
            false => Ok(()),
        }
    }

    /// Waits for the client to send more, while servers are kept waiting.
    async fn more(&mut self) -> Result<(), Stop> {
        let deadline = Instant::now() + *self.client.service.settings.timeouts.data;
        loop {
            let alive = self.alive().unwrap_or(deadline);
            let others = async {
                match &mut self.mx {
                    Some(mx) => mx.heard().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                filled = self.server.fill() => match filled {
                    Ok(0) | Err(_) => return Err(Stop::Violation("server_closed")),
                    Ok(_) => self.heard()?,
                },
                () = others => {}
                filled = self.client.wire.fill_by(OF_BODY) => return match filled? {
                    0 => Err(Stop::Closed),
                    _ => Ok(()),
                },
                () = sleep_until(deadline.into()) => return Err(Stop::Idle),
                () = sleep_until(alive.into()) => self.we_are_here().await?,
            }
        }
    }

    /// Keeps servers waiting.
    pub(super) async fn we_are_here(&mut self) -> Result<(), Stop> {
        self.remind_others().await;
        match &mut self.keeper {
            Some(keeper) => keeper.vigil.remind(&mut self.server).await,
            None => Ok(()),
        }
    }

    /// When a server is to hear of us again.
    fn alive(&self) -> Option<Instant> {
        let own = self.keeper.as_ref().map(|keeper| keeper.vigil.due());
        let others = self.mx.as_ref().and_then(|mx| mx.due());
        own.into_iter().chain(others).min()
    }

    fn heard(&mut self) -> Result<(), Stop> {
        match &mut self.keeper {
            Some(keeper) => keeper.vigil.heard(&mut self.server),
            None => Ok(()),
        }
    }

    /// Reads the replies that are owed.
    pub(super) async fn settle_owed(&mut self) -> Result<(), Stop> {
        match &mut self.keeper {
            Some(keeper) => keeper.vigil.settle(&mut self.server).await,
            None => Ok(()),
        }
    }

    /// Says something of our own.
    pub(super) fn tell(&mut self, reply: &str) {
        self.to_client.extend_from_slice(reply.as_bytes());
        self.to_client.extend_from_slice(b"\r\n");
    }
}
