//! A session at a further server, for one message.

use std::sync::Arc;
use std::time::Duration;

use alb_core::upstream::Active;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::super::reply::Reply;
use super::OF_BODY;
use super::vigil::Vigil;
use crate::backend::Backend;
use crate::backend::smtp::say;
use crate::capabilities::Offers;
use crate::client::Stop;
use crate::service::{Pool, Service};
use crate::wire::Wire;

/// How long a server may take to hear what needs no answer.
pub(super) const MOMENT: Duration = Duration::from_secs(5);

/// A session at a further server, for one message.
pub(super) struct Branch {
    /// Where the domains of its recipients lead.
    pub(super) domain: Arc<Pool>,
    /// Upstream and address, for the log.
    pub(super) name: String,
    /// What it offers.
    pub(super) offers: Offers,
    pub(super) wire: Wire,
    pub(super) vigil: Vigil,
    /// Recipients that it has taken.
    pub(super) recipients: Vec<String>,
    pub(super) stage: Stage,
    _active: Active,
}

/// How far a server is with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It knows sender and recipients.
    Envelope,
    /// It is being sent the message itself.
    Content,
    /// It has said what becomes of it.
    Over,
}

impl Branch {
    /// At this server.
    pub(super) fn new(domain: &Arc<Pool>, backend: Backend, service: &Service) -> Self {
        Branch {
            domain: Arc::clone(domain),
            name: backend.audited.name(),
            offers: service.passed_on(&backend.offers),
            wire: backend.wire,
            vigil: Vigil::begin(),
            recipients: Vec::new(),
            stage: Stage::Envelope,
            _active: backend.active,
        }
    }

    /// Leaves: with a word, unless that would be a part of a message.
    pub(super) fn leave(self) {
        if self.stage != Stage::Content {
            goodbye(self.wire);
        }
    }
}

/// Has a server answer a command, while it is noticed if the client leaves. `None`: it has left, or has had enough.
pub(super) async fn ask(
    client: &mut Wire,
    branch: &mut Branch,
    line: &[u8],
    most: Duration,
) -> Result<Option<Reply>, Stop> {
    let asking = async {
        branch.vigil.settle(&mut branch.wire).await.ok()?;
        branch.vigil.told();
        let command = [line, b"\r\n"].concat();
        let reply = say(&mut branch.wire, &command).await.ok()?;
        Some(reply).filter(|reply| reply.code != 421)
    };
    tokio::select! {
        biased;
        reply = timeout(most, asking) => Ok(reply.ok().flatten()),
        () = client.closed(OF_BODY) => Err(Stop::Closed),
    }
}

/// Takes leave of a server, which nobody waits for.
pub(super) fn goodbye(mut server: Wire) {
    spawn_local(async move {
        let _ = timeout(MOMENT, say(&mut server, b"QUIT\r\n")).await;
        let _ = timeout(MOMENT, server.finish()).await;
    });
}
