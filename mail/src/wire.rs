//! One connection with what has been read from it and not yet been understood. Knows no protocol.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_core::Stream;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use zeroize::Zeroize;

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

    /// Says that nothing more will come, before the connection is dropped: closing a socket says as much as shutting it down,
    /// but TLS has to say more.
    pub async fn finish(&mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            // It may have closed first.
            let _ = stream.shutdown().await;
        }
    }
}

/// What comes of `future` within `time`. As [`timeout`], which looks at the clock first; this does so only if there is something
/// to wait for.
pub async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut future = pin!(future);
    match poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
        Poll::Ready(done) => Ok(done),
        Poll::Pending => timeout(time, future).await,
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
