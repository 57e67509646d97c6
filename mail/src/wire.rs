//! One connection with what has been read from it and not yet been understood. Knows no protocol.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_core::Stream;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use zeroize::Zeroize;

/// Silence after which the kernel asks whether the other side is there: mailboxes are open for hours (IDLE), and what
/// stands between forgets connections in which nothing moves.
pub const KEEPALIVE: Duration = Duration::from_secs(120);

/// Room for one read before login: commands are short.
const CHUNK: usize = 4 * 1024;

/// A connection to a client or to a server.
#[derive(Debug)]
pub struct Wire {
    /// The connection.
    pub stream: Stream,
    /// What has been read and not been used.
    pub buffer: BytesMut,
}

impl Wire {
    /// A connection of which nothing has been read.
    pub fn new(stream: Stream) -> Self {
        Wire {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Reads more into the buffer; 0 at the end. Nothing is lost when the future is dropped, and no memory is held while
    /// nothing comes.
    pub async fn fill(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Reads by way of the stack: sessions mostly wait, and most of what they read is a short line.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); CHUNK];
        let mut room = ReadBuf::uninit(&mut room);
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut room));
        Poll::Ready(match read {
            // A mail client that leaves without a close_notify has left all the same.
            Err(error) if is_end(&error) => Ok(0),
            Err(error) => Err(error),
            Ok(()) => {
                let come = room.filled_mut();
                self.buffer.extend_from_slice(come);
                // It may be a password.
                come.zeroize();
                Ok(come.len())
            }
        })
    }

    /// As [`fill`](Self::fill), with room for `most` bytes, which is held from the beginning: for much that comes at once.
    pub async fn fill_by(&mut self, most: usize) -> io::Result<usize> {
        self.buffer.reserve(most);
        match self.stream.read_buf(&mut self.buffer).await {
            Err(error) if is_end(&error) => Ok(0),
            other => other,
        }
    }

    /// Writes all of it.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Gives memory back that an empty buffer has kept.
    pub fn let_go(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    /// Resolves when the other side has closed. What it says until then goes to the buffer, up to `most` bytes; after
    /// that its end is not noticed.
    pub async fn closed(&mut self, most: usize) {
        while self.buffer.len() < most {
            if matches!(self.fill().await, Ok(0) | Err(_)) {
                return;
            }
        }
        std::future::pending().await
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) {
        // It may have closed first.
        let _ = self.stream.shutdown().await;
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
