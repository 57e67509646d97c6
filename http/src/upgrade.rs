//! What follows a 101 response: bytes both ways, until both sides are done.

use std::io;
use std::time::Duration;

use alb_core::Stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::h1::transport::Transport;
use crate::pace::Limited;

/// A tunnel through which nothing has moved for so long is closed: longer than any keep-alive of WebSocket libraries.
const IDLE: Duration = Duration::from_secs(600);
/// Bytes moved at once.
const PIECE: usize = 16 * 1024;

/// The peer's end of an upgraded connection.
#[derive(Debug)]
pub struct Tunnel {
    /// The connection to the peer, with what it sent after its 101.
    pub peer: Transport<Stream>,
    /// The limits that count it, as the request it was.
    pub limited: Option<Box<Limited>>,
}

/// Moves bytes between client and peer until both have ended, one has failed, or nothing has moved for too long.
/// A tunnel of a worker that is leaving goes on until its client ends it, or the drain is over.
pub async fn relay(client: Transport<Stream>, tunnel: Tunnel) {
    let _limited = tunnel.limited;
    let moved = std::cell::Cell::new(Instant::now());
    let (client_read, client_write) = tokio::io::split(client.stream);
    let (peer_read, peer_write) = tokio::io::split(tunnel.peer.stream);
    let there = pump(client_read, client.buffer, peer_write, &moved);
    let back = pump(peer_read, tunnel.peer.buffer, client_write, &moved);
    if let Err(error) = tokio::try_join!(there, back) {
        tracing::debug!(%error, "upgraded connection ended");
    }
}

/// One direction; its end is passed on as a half-close.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut buffer: bytes::BytesMut,
    mut to: impl AsyncWrite + Unpin,
    moved: &std::cell::Cell<Instant>,
) -> io::Result<()> {
    loop {
        if !buffer.is_empty() {
            to.write_all_buf(&mut buffer).await?;
            to.flush().await?;
            moved.set(Instant::now());
        }
        buffer.reserve(PIECE);
        if read_within_idle(&mut from, &mut buffer, moved).await? == 0 {
            return to.shutdown().await;
        }
    }
}

/// Reads once; fails when nothing has moved in either direction for too long.
async fn read_within_idle(
    from: &mut (impl AsyncRead + Unpin),
    buffer: &mut bytes::BytesMut,
    moved: &std::cell::Cell<Instant>,
) -> io::Result<usize> {
    loop {
        let until = moved.get() + IDLE;
        match timeout_at(until, from.read_buf(buffer)).await {
            Ok(read) => {
                moved.set(Instant::now());
                return read;
            }
            Err(_) if moved.get() + IDLE > until => {}
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
