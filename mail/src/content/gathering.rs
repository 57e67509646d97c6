//! A message while it comes, with its structure as far as it is seen. One that will be refused is not kept any longer.

use std::sync::Arc;

use bytes::BytesMut;

use super::line_ends::LineEnds;
use super::prescan::{Outline, Prescan, Violation};
use super::spool::{Full, Spool};
use super::store::Store;

/// A message while it comes.
#[derive(Debug)]
pub struct Gathering {
    state: Result<(Spool, Scan), &'static str>,
}

/// What is looked for.
#[derive(Debug)]
enum Scan {
    /// The structure.
    Structure(Box<Prescan>),
    /// Line ends only.
    Lines(LineEnds),
}

/// A message that has come.
#[derive(Debug)]
pub struct Gathered {
    /// All of it.
    pub spool: Spool,
    /// Its structure, where that was looked for.
    pub outline: Option<Outline>,
    /// The header block of the message itself, where the structure was looked for.
    pub header: Vec<u8>,
}

impl Gathering {
    /// Nothing yet of a message that is to be judged.
    pub fn judged(store: &Arc<Store>) -> Self {
        let scan = Scan::Structure(Box::default());
        Gathering {
            state: Ok((Spool::new(store), scan)),
        }
    }

    /// Nothing yet of a message that is only kept.
    pub fn kept(store: &Arc<Store>) -> Self {
        let scan = Scan::Lines(LineEnds::default());
        Gathering {
            state: Ok((Spool::new(store), scan)),
        }
    }

    /// More of it.
    pub async fn add(&mut self, bytes: BytesMut) {
        if let Ok((spool, scan)) = &mut self.state
            && let Err(why) = add(spool, scan, bytes).await
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
        let (mut spool, scan) = self.state?;
        spool.finish().await.map_err(no_room)?;
        let outline = match scan {
            Scan::Structure(prescan) => Some(prescan.finish().map_err(refusal)?),
            Scan::Lines(ends) => {
                ends.finish().map_err(|_| refusal(Violation::LineEnds))?;
                None
            }
        };
        let header = outline.as_ref().map_or_else(Vec::new, top);
        Ok(Gathered {
            spool,
            outline,
            header,
        })
    }
}

/// The header block of the message itself.
fn top(outline: &Outline) -> Vec<u8> {
    let first = outline.parts.first();
    let range = first.map_or(0..0, |part| part.header.clone());
    outline.headers[range].to_vec()
}

async fn add(spool: &mut Spool, scan: &mut Scan, bytes: BytesMut) -> Result<(), &'static str> {
    match scan {
        Scan::Structure(prescan) => {
            prescan.feed(&bytes).map_err(refusal)?;
            spool.beside(prescan.held());
        }
        Scan::Lines(ends) => {
            let sound = ends.feed(&bytes);
            sound.map_err(|_| refusal(Violation::LineEnds))?;
        }
    }
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
