//! A file too large for memory: read piece by piece, on threads that may wait, one piece ahead at most.

use std::fs::File;
use std::future::Future;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use alb_core::{Error, Kind, Side};
use bytes::Bytes;
use http_body::Frame;
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes read at once.
const PIECE: u64 = 128 * 1024;

/// A file, or a part of it.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    offset: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileBody {
    /// `length` bytes from `offset` on.
    pub fn new(file: Arc<File>, offset: u64, length: u64) -> Self {
        Self {
            file,
            offset,
            left: length,
            reading: None,
        }
    }

    /// Bytes to come.
    pub fn length(&self) -> u64 {
        self.left
    }

    /// The next piece.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let (file, offset, count) = (&self.file, self.offset, self.left.min(PIECE));
        let reading = self.reading.get_or_insert_with(|| {
            let file = Arc::clone(file);
            spawn_blocking(move || read(&file, offset, count))
        });
        let read = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = read
            .map_err(io::Error::other)
            .flatten()
            .map_err(|e| Error::because(Kind::Io, Side::Gateway, e))?;
        self.offset += piece.len() as u64;
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }
}

/// Exactly `count` bytes: a file that has become shorter is an error, since its length has been announced.
fn read(file: &File, offset: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut piece = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut piece, offset)?;
    Ok(piece)
}
