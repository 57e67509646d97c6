//! A message while it comes, with its structure as far as it is seen. One that will be refused is not kept any longer.

use std::sync::Arc;

use bytes::BytesMut;

use super::policy::Policy;
use super::prescan::{Outline, Prescan, Violation};
use super::spool::{Full, Spool};

/// A message while it comes.
#[derive(Debug)]
pub struct Gathering {
    state: Result<(Spool, Prescan), &'static str>,
}

/// A message that has come.
#[derive(Debug)]
pub struct Gathered {
    /// All of it.
    pub spool: Spool,
    /// Its structure.
    pub outline: Outline,
    /// The header block of the message itself.
    pub header: Vec<u8>,
}

impl Gathering {
    /// Nothing yet.
    pub fn new(policy: &Arc<Policy>) -> Self {
        Gathering {
            state: Ok((Spool::new(policy), Prescan::default())),
        }
    }

    /// More of it.
    pub async fn add(&mut self, bytes: BytesMut) {
        if let Ok((spool, prescan)) = &mut self.state
            && let Err(why) = add(spool, prescan, bytes).await
        {
            self.state = Err(why);
        }
    }

    /// The end of it.
    ///
    /// # Errors
    ///
    /// The reply, if it cannot be taken.
    pub async fn finish(self) -> Result<Gathered, &'static str> {
        let (mut spool, prescan) = self.state?;
        spool.finish().await.map_err(no_room)?;
        let outline = prescan.finish().map_err(refusal)?;
        let top = outline
            .parts
            .first()
            .map_or(0..0, |part| part.header.clone());
        let header = outline.headers[top].to_vec();
        Ok(Gathered {
            spool,
            outline,
            header,
        })
    }
}

async fn add(
    spool: &mut Spool,
    prescan: &mut Prescan,
    bytes: BytesMut,
) -> Result<(), &'static str> {
    prescan.feed(&bytes).map_err(refusal)?;
    spool.beside(prescan.held());
    spool.add(bytes).await.map_err(no_room)
}

fn refusal(violation: Violation) -> &'static str {
    match violation {
        Violation::Loop => "554 5.4.6 Too many hops",
        Violation::LineEnds => "550 5.6.0 Lines must end with CRLF",
        Violation::Headers => "550 5.6.0 Too many header fields",
        Violation::Parts => "550 5.6.0 Too many parts",
        Violation::Nesting => "550 5.6.0 Parts too deep within each other",
        Violation::Encoded => "550 5.6.0 A message or multipart that is encoded once more",
        Violation::Ambiguous => "550 5.6.0 Header fields that mail programs read differently",
        Violation::Boundary => "550 5.6.0 A boundary that is too long",
    }
}

fn no_room(full: Full) -> &'static str {
    match full {
        Full::Memory => tracing::warn!("messages under way take all of `memory`, one is put off"),
        Full::Disk => tracing::warn!("messages under way take all of `disk`, one is put off"),
        Full::Io(error) => tracing::warn!(
            "a message cannot be kept: {error}; help: is `directory` writable, has its disk room?"
        ),
    }
    "452 4.3.1 Insufficient system storage"
}
