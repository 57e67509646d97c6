//! Sends a message: head and body, in as few writes as the body's arrival allows.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_core::{Error, Kind, Side, Stream};
use bytes::{Buf, Bytes};
use http_body::Body as _;
use tokio::io::{AsyncWrite, WriteHalf};
use tokio::time::Instant;

use super::encode;
use super::head::Framing;
use crate::body::Body;
use crate::deadline::Deadline;

/// Gathered bytes above which nothing more is gathered before a write.
const GATHER: usize = 16 * 1024;
/// Pieces up to this size are copied behind the head; larger ones are written from where they are.
const COPY: usize = 2 * 1024;

/// The state of one message being sent.
#[derive(Debug)]
pub struct Writer {
    gathered: Vec<u8>,
    written: usize,
    piece: Bytes,
    after_piece: &'static [u8],
    framing: Framing,
    ended: bool,
    progress: bool,
}

/// Why a message could not be sent.
#[derive(Debug)]
pub enum Unsent {
    /// The source of the body failed.
    Body(Error),
    /// The stream failed.
    Stream(io::Error),
}

/// How much of a body will be copied behind its head.
pub fn behind_head(body: &Body) -> usize {
    let length = body
        .length()
        .and_then(|length| usize::try_from(length).ok());
    length.filter(|length| *length <= COPY).unwrap_or(0)
}

/// Sends the rest of a request whose response has begun. What goes wrong now shows in the response.
pub async fn finish(
    mut request: Writer,
    mut stream: WriteHalf<Stream>,
    mut body: Body,
    timeout: Duration,
) {
    let mut deadline = Deadline::default();
    poll_fn(|cx| {
        if request.poll_send(cx, &mut stream, &mut body).is_ready() {
            return Poll::Ready(());
        }
        if !request.is_blocked_by_stream() {
            deadline.clear();
        } else if request.take_progress() || !deadline.is_set() {
            deadline.set(Instant::now() + timeout);
        }
        deadline.poll(cx)
    })
    .await;
}

impl Writer {
    /// A message with its head, empty line included, and a body framed as the head says.
    pub fn new(head: Vec<u8>, framing: Framing) -> Self {
        Self {
            gathered: head,
            written: 0,
            piece: Bytes::new(),
            after_piece: b"",
            framing,
            ended: matches!(framing, Framing::None | Framing::Length(0)),
            progress: false,
        }
    }

    /// Bytes wait for the stream, rather than for the body's source.
    pub fn is_blocked_by_stream(&self) -> bool {
        self.written < self.gathered.len() || !self.piece.is_empty()
    }

    /// Whether bytes were written since the last call.
    pub fn take_progress(&mut self) -> bool {
        std::mem::take(&mut self.progress)
    }

    /// Sends as much as possible; ready when the whole message has been handed to the stream.
    pub fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
        body: &mut Body,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            let gathering = self
                .gather(cx, body, stream.is_write_vectored())
                .map_err(Unsent::Body)?;
            ready!(self.poll_write(cx, stream)).map_err(Unsent::Stream)?;
            if self.ended {
                return Pin::new(&mut *stream)
                    .poll_flush(cx)
                    .map_err(Unsent::Stream);
            }
            ready!(gathering);
        }
    }

    /// Takes from the body what is there now; pending when the body has to be waited for.
    fn gather(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Body,
        vectored: bool,
    ) -> Result<Poll<()>, Error> {
        let copy = if vectored { COPY } else { GATHER };
        while !self.ended && self.piece.is_empty() && self.gathered.len() < GATHER {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(None) => self.end(None)?,
                Poll::Ready(Some(frame)) => match frame?.into_data() {
                    Ok(data) => self.push(data, copy)?,
                    Err(frame) => self.end(frame.into_trailers().ok().as_ref())?,
                },
            }
        }
        Ok(Poll::Ready(()))
    }

    fn push(&mut self, data: Bytes, copy: usize) -> Result<(), Error> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or(Error::new(Kind::Malformed, Side::Gateway))?;
            }
            Framing::Chunked => {
                encode::chunk_header(&mut self.gathered, data.len());
                self.after_piece = b"\r\n";
            }
            Framing::None | Framing::UntilClose => {}
        }
        if data.len() <= copy {
            self.gathered.extend_from_slice(&data);
            self.gathered
                .extend_from_slice(std::mem::take(&mut self.after_piece));
        } else {
            self.piece = data;
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), Error> {
        self.ended = true;
        match self.framing {
            Framing::Length(left) if left > 0 => {
                return Err(Error::new(Kind::Closed, Side::Gateway));
            }
            Framing::Chunked => encode::last_chunk(&mut self.gathered, trailers),
            _ => {}
        }
        Ok(())
    }

    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut S,
    ) -> Poll<io::Result<()>> {
        loop {
            let gathered = &self.gathered[self.written..];
            if gathered.is_empty() && self.piece.is_empty() && self.after_piece.is_empty() {
                self.gathered.clear();
                self.written = 0;
                return Poll::Ready(Ok(()));
            }
            let written = if self.piece.is_empty() && self.after_piece.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, gathered))?
            } else if gathered.is_empty() && self.after_piece.is_empty() {
                ready!(Pin::new(&mut *stream).poll_write(cx, &self.piece))?
            } else {
                let slices = [
                    IoSlice::new(gathered),
                    IoSlice::new(&self.piece),
                    IoSlice::new(self.after_piece),
                ];
                let first = slices.iter().position(|s| !s.is_empty()).unwrap_or(0);
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices[first..]))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
    }

    fn advance(&mut self, written: usize) {
        self.progress = true;
        let of_gathered = written.min(self.gathered.len() - self.written);
        self.written += of_gathered;
        let of_piece = (written - of_gathered).min(self.piece.len());
        self.piece.advance(of_piece);
        self.after_piece = &self.after_piece[written - of_gathered - of_piece..];
    }
}
