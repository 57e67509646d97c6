//! The body of a request: read from the client's connection as it is asked for, so that a slow peer slows the client.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_core::{Error, Kind, Side, Stream};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body::Frame;
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use super::decoder::{Decoder, Step};
use super::head::{Framing, RequestHead};
use super::transport::Transport;
use crate::body::Body;
use crate::deadline::Deadline;

/// How much is read ahead while a request is being handled.
const READ_AHEAD: usize = 16 * 1024;

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    shared: Rc<RefCell<Shared>>,
    request: u64,
}

/// What a connection and the body of its current request share. Never borrowed across an await.
#[derive(Debug)]
pub struct Shared {
    /// The connection.
    pub transport: Transport<Stream>,
    decoder: Decoder,
    deadline: Deadline,
    timeout: Duration,
    /// Counts requests; the body of an earlier one reads nothing.
    requests: u64,
    /// What is left to send of `100 Continue`, for which the client waits.
    interim: &'static [u8],
    closing: bool,
}

impl Shared {
    /// A connection from which `buffer` was read already; `timeout` is the longest pause in a body.
    pub fn new(stream: Stream, buffer: BytesMut, timeout: Duration) -> Self {
        Self {
            transport: Transport::new(stream, buffer),
            decoder: Decoder::new(Framing::None),
            deadline: Deadline::default(),
            timeout,
            requests: 0,
            interim: b"",
            closing: false,
        }
    }

    /// Begins a request: what follows in the connection is its body.
    pub fn open(this: &Rc<RefCell<Self>>, head: RequestHead) -> Request<Body> {
        let mut shared = this.borrow_mut();
        shared.requests += 1;
        shared.decoder = Decoder::new(head.framing);
        shared.deadline.clear();
        shared.interim = if head.expects_continue {
            b"HTTP/1.1 100 Continue\r\n\r\n"
        } else {
            b""
        };
        let body = match shared.decoder.is_done() {
            true => Body::empty(),
            false => Body::client(RequestBody {
                shared: Rc::clone(this),
                request: shared.requests,
            }),
        };
        let mut request = Request::new(body);
        *request.method_mut() = head.method;
        *request.uri_mut() = head.uri;
        *request.version_mut() = head.version;
        *request.headers_mut() = head.headers;
        request
    }

    /// Requests begun on this connection.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// The body of the current request has been read.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// The rest of the current body is known to be at most `most` bytes, and on its way.
    pub fn can_skip_rest(&self, most: u64) -> bool {
        self.decoder.is_done()
            || (self.interim.is_empty() && self.decoder.remaining().is_some_and(|n| n <= most))
    }

    /// Reads the rest of the body and drops it; ready with whether its end was found.
    pub fn poll_skip(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match ready!(
                self.transport
                    .poll_body(cx, &mut self.decoder, Side::Client)
            ) {
                Ok(Step::Data(_)) => {}
                step => return Poll::Ready(step.is_ok()),
            }
        }
    }

    /// Whether the client has closed while its request was handled. Reads ahead a little to find out.
    pub fn is_gone(&mut self, cx: &mut Context<'_>) -> bool {
        while self.decoder.is_done() && self.transport.buffer.len() < READ_AHEAD {
            match self.transport.poll_read(cx, READ_AHEAD / 4) {
                Poll::Ready(Ok(read)) if read > 0 => {}
                Poll::Ready(_) => return true,
                Poll::Pending => return false,
            }
        }
        false
    }

    /// Ends our side, then, if there may be unread data, waits for the client to end its own.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.closing {
            let ended = ready!(Pin::new(&mut self.transport.stream).poll_shutdown(cx));
            self.closing = true;
            if ended.is_err()
                || (self.requests > 0 && self.is_done() && self.transport.buffer.is_empty())
            {
                return Poll::Ready(());
            }
        }
        loop {
            self.transport.buffer.clear();
            match ready!(self.transport.poll_read(cx, READ_AHEAD)) {
                Ok(read) if read > 0 => {}
                _ => return Poll::Ready(()),
            }
        }
    }

    /// The connection, for what is no longer HTTP.
    pub fn into_transport(self) -> Transport<Stream> {
        self.transport
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        ready!(self.poll_interim(cx)).map_err(|e| Error::io(Side::Client, e))?;
        match self
            .transport
            .poll_body(cx, &mut self.decoder, Side::Client)
        {
            Poll::Ready(Ok(step)) => {
                self.deadline.clear();
                Poll::Ready(frame(step).map(Ok))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Pending => {
                if !self.deadline.is_set() {
                    self.deadline.set(Instant::now() + self.timeout);
                }
                ready!(self.deadline.poll(cx));
                Poll::Ready(Some(Err(Error::new(Kind::ReadTimeout, Side::Client))))
            }
        }
    }

    /// Sends `100 Continue` once the body is wanted (RFC 9110 §10.1.1).
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let sent = ready!(Pin::new(&mut self.transport.stream).poll_write(cx, self.interim))?;
            self.interim = &self.interim[sent..];
        }
        Poll::Ready(Ok(()))
    }
}

impl RequestBody {
    /// Bytes to come, when the request says so.
    pub fn length(&self) -> Option<u64> {
        self.shared.borrow().decoder.remaining()
    }

    /// The next part.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut shared = self.shared.borrow_mut();
        if shared.requests != self.request {
            return Poll::Ready(Some(Err(Error::new(Kind::Closed, Side::Client))));
        }
        shared.poll_frame(cx)
    }
}

/// A decoder's step as a frame; `None` at the end.
pub(super) fn frame(step: Step) -> Option<Frame<Bytes>> {
    match step {
        Step::Data(data) => Some(Frame::data(data)),
        Step::Trailers(trailers) => Some(Frame::trailers(without_framing(trailers))),
        Step::End | Step::More => None,
    }
}

/// Trailers must not smuggle in what only a head may say (RFC 9110 §6.5.1).
fn without_framing(mut trailers: HeaderMap) -> HeaderMap {
    use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING};
    for name in [CONNECTION, CONTENT_LENGTH, HOST, TRAILER, TRANSFER_ENCODING] {
        trailers.remove(name);
    }
    trailers
}
