//! A message that was kept on its way to a server: DATA, the header as it goes on, the rest as it came.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout;

use super::super::reply::Reply;
use crate::backend::Failed;
use crate::backend::smtp::{next_reply, say};
use crate::content::{Gathered, Spool, Stuffer};
use crate::wire::Wire;

/// What is sent.
pub(super) struct Content<'c> {
    begin: Bytes,
    spool: &'c Spool,
    /// Where what follows the header is.
    body: u64,
}

/// How far it has come.
pub(super) enum Sent {
    /// The server does not want it.
    Refused(Reply),
    /// To its last dot; the reply is still to come.
    Whole,
}

impl<'c> Content<'c> {
    /// A message with this header in place of its own.
    pub(super) fn new(begin: BytesMut, gathered: &'c Gathered) -> Self {
        Content {
            begin: begin.freeze(),
            spool: &gathered.spool,
            body: gathered.header.len() as u64,
        }
    }

    /// Bytes of the message.
    pub(super) fn size(&self) -> u64 {
        self.begin.len() as u64 + self.spool.len().saturating_sub(self.body)
    }
}

/// Sends it to a server that has taken the envelope. Each piece may take `most`.
///
/// # Errors
///
/// The server has left, or does not listen. It has no message then: the last dot has not gone.
pub(super) async fn send(
    server: &mut Wire,
    content: &Content<'_>,
    most: Duration,
) -> io::Result<Sent> {
    let go_ahead = begin(server, most).await?;
    if go_ahead.code != 354 {
        return Ok(Sent::Refused(go_ahead));
    }
    let mut pieces = Pieces::of(content);
    while let Some(piece) = pieces.next().await? {
        timeout(most, server.send(&piece)).await??;
    }
    timeout(most, server.send(pieces.end())).await??;
    Ok(Sent::Whole)
}

/// Asks a server for its go-ahead; its reply.
///
/// # Errors
///
/// The server has left.
pub(super) async fn begin(server: &mut Wire, most: Duration) -> io::Result<Reply> {
    let reply = timeout(most, say(server, b"DATA\r\n"))
        .await?
        .map_err(gone)?;
    match reply.code {
        354 | 400..600 => Ok(reply),
        // It would be told to the client as if there were a message that the server has taken.
        code => Err(io::Error::other(format!("it answers DATA with {code}"))),
    }
}

/// A message as it goes on the way, piece by piece.
pub(super) struct Pieces<'c> {
    content: &'c Content<'c>,
    stuffer: Stuffer,
    /// The header, until it has gone.
    begin: Option<Bytes>,
    at: u64,
}

impl<'c> Pieces<'c> {
    /// From its beginning.
    pub(super) fn of(content: &'c Content<'c>) -> Self {
        Pieces {
            content,
            stuffer: Stuffer::default(),
            begin: Some(content.begin.clone()),
            at: content.body,
        }
    }

    /// The next; `None` if only the last line is left.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(begin) = self.begin.take() {
            return Ok(Some(self.stuffer.add(begin)));
        }
        let piece = self.content.spool.piece(self.at).await?;
        self.at += piece.len() as u64;
        Ok((!piece.is_empty()).then(|| self.stuffer.add(piece)))
    }

    /// The last line.
    pub(super) fn end(&self) -> &'static [u8] {
        self.stuffer.end()
    }
}

/// The server's reply to a message.
///
/// # Errors
///
/// The server has left.
pub(super) async fn reply(server: &mut Wire) -> io::Result<Reply> {
    next_reply(server).await.map_err(gone)
}

/// Code and text of a reply of ours.
pub(super) fn verdict_of(reply: &str) -> (u16, &str) {
    let (code, text) = reply.split_once(' ').unwrap_or((reply, ""));
    (code.parse().unwrap_or_default(), text)
}

fn gone(failed: Failed) -> io::Error {
    io::Error::other(format!("{failed:?}"))
}
