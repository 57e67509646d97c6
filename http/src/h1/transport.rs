//! A stream with what was read from it but not yet used.

use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use alb_core::{Error, Kind, Side};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::Malformed;
use super::decoder::{Decoder, Step};
use super::head::{Limits, Scanner};

/// Room made for the head of a message, and for whatever comes with it in one read.
const HEAD_READ: usize = 4 * 1024;
/// Room made for body bytes: one full TLS record.
const BODY_READ: usize = 16 * 1024;
/// Room made for body bytes when the last read filled what there was.
const BULK_READ: usize = 64 * 1024;

/// One side of a connection for reading.
#[derive(Debug)]
pub struct Transport<S> {
    /// The stream; written to directly.
    pub stream: S,
    /// Bytes read ahead.
    pub buffer: BytesMut,
    /// The other side has finished sending.
    pub ended: bool,
    bulk: bool,
}

/// Why a head could not be read.
#[derive(Debug)]
pub enum HeadFault {
    /// The other side closed before the first byte.
    Closed,
    /// What arrived is not a valid head.
    Malformed(Malformed),
    /// Reading failed.
    Io(io::Error),
}

impl<S: AsyncRead + Unpin> Transport<S> {
    /// A stream from which `buffer` was read already.
    pub fn new(stream: S, buffer: BytesMut) -> Self {
        Self {
            stream,
            buffer,
            ended: false,
            bulk: false,
        }
    }

    /// Reads until a whole head is in the buffer, and takes it out.
    ///
    /// While nothing has arrived the buffer is given back: an idle connection holds no memory for it.
    pub fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        scanner: &mut Scanner,
        limits: &Limits,
    ) -> Poll<Result<Bytes, HeadFault>> {
        loop {
            if let Some(end) = scanner
                .end(&self.buffer, limits)
                .map_err(HeadFault::Malformed)?
            {
                return Poll::Ready(Ok(self.buffer.split_to(end).freeze()));
            }
            match self.poll_read(cx, HEAD_READ) {
                Poll::Ready(Ok(0)) if self.buffer.is_empty() => {
                    return Poll::Ready(Err(HeadFault::Closed));
                }
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(HeadFault::Malformed(Malformed::Truncated)));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(e)) => return Poll::Ready(Err(HeadFault::Io(e))),
                Poll::Pending => {
                    if self.buffer.is_empty() {
                        self.buffer = BytesMut::new();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads the next part of a body; never yields [`Step::More`].
    pub fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        decoder: &mut Decoder,
        side: Side,
    ) -> Poll<Result<Step, Error>> {
        loop {
            match decoder
                .step(&mut self.buffer)
                .map_err(|m| Error::because(Kind::Malformed, side, m))?
            {
                Step::More => {}
                step => return Poll::Ready(Ok(step)),
            }
            let room = if self.bulk { BULK_READ } else { BODY_READ };
            let read = ready!(self.poll_read(cx, room)).map_err(|e| Error::io(side, e))?;
            self.bulk = read >= room;
            if read == 0 {
                decoder
                    .finish()
                    .map_err(|m| Error::because(Kind::Closed, side, m))?;
            }
        }
    }

    /// Reads once, with room for about `room` bytes; zero means that the other side has finished.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, room: usize) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        let read = if room > HEAD_READ {
            if self.buffer.capacity() - self.buffer.len() < HEAD_READ {
                self.buffer.reserve(room);
            }
            ready!(pin!(self.stream.read_buf(&mut self.buffer)).poll(cx))?
        } else {
            ready!(self.poll_read_little(cx))?
        };
        self.ended = read == 0;
        Poll::Ready(Ok(read))
    }

    /// Reads by way of the stack: waiting takes no memory, and what arrives takes no more than it needs.
    fn poll_read_little(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [const { MaybeUninit::uninit() }; HEAD_READ];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut space))?;
        let read = space.filled();
        if self.buffer.is_empty() {
            self.buffer = BytesMut::from(read);
        } else {
            self.buffer.extend_from_slice(read);
        }
        Poll::Ready(Ok(read.len()))
    }
}
