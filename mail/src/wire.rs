//! One connection with what has been read from it and not yet been understood. Knows no protocol.

use std::io::{self, ErrorKind};

use alb_core::Stream;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

    /// Reads more into the buffer; 0 at the end. Nothing is lost when the future is dropped.
    pub async fn fill(&mut self) -> io::Result<usize> {
        self.fill_by(CHUNK).await
    }

    /// As [`fill`](Self::fill), with room for `most` bytes.
    pub async fn fill_by(&mut self, most: usize) -> io::Result<usize> {
        self.buffer.reserve(most);
        match self.stream.read_buf(&mut self.buffer).await {
            // A mail client that leaves without a close_notify has left all the same.
            Err(error) if is_end(&error) => Ok(0),
            other => other,
        }
    }

    /// Writes all of it.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
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
