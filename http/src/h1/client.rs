//! One HTTP/1.1 exchange with a peer: sends a request, reads the response. No task of its own: whoever waits for the
//! response drives the request.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use alb_core::{Error, Kind, Side, Stream};
use bytes::{Bytes, BytesMut};
use http::Method;
use http_body::Frame;
use tokio::io::{AsyncRead, ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::Malformed;
use super::decoder::Decoder;
use super::head::{Limits, ResponseHead, Scanner, parse_response};
use super::request_body::frame;
use super::transport::{HeadFault, Transport};
use super::writer::{Unsent, Writer};
use crate::body::Body;
use crate::deadline::Deadline;
use crate::pool::Home;

/// What the head of a peer's response may measure.
const LIMITS: Limits = Limits {
    line: 8 * 1024,
    size: 64 * 1024,
    fields: 256,
};
/// Interim responses that are skipped before the connection counts as broken.
const MAX_INTERIM: usize = 16;

/// A connection to a peer, between two requests.
#[derive(Debug)]
pub struct Idle {
    transport: Transport<Stream>,
    deadline: Deadline,
}

/// How long a peer may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Between two writes of a request.
    pub send: Duration,
    /// Before the response, and between two reads of it.
    pub response: Duration,
}

/// A response whose head has arrived.
pub struct Answered {
    /// The head.
    pub head: ResponseHead,
    /// Where the body comes from.
    pub rest: Rest,
}

/// The connection after the head of a response.
pub enum Rest {
    /// The request has been sent completely.
    Sent(Idle),
    /// The response overtook the request; the rest of the request still has to be sent.
    Early(Writer, Idle),
}

/// The body of a response.
#[derive(Debug)]
pub struct ResponseBody<S> {
    transport: Transport<S>,
    decoder: Decoder,
    deadline: Deadline,
    timeout: Duration,
    home: Option<Home>,
}

/// Why there is no response.
#[derive(Debug)]
pub struct Unanswered {
    /// What happened, on whose side.
    pub error: Error,
    /// The peer closed the connection without a byte of response: it may have done so before the request arrived.
    pub stale: bool,
}

impl Idle {
    /// A fresh connection.
    pub fn new(stream: Stream) -> Self {
        Self {
            transport: Transport::new(stream, BytesMut::new()),
            deadline: Deadline::default(),
        }
    }

    /// Whether the peer has neither closed nor said anything unasked: then it can serve another request.
    pub fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let usable = self.transport.poll_read(&mut cx, 64).is_pending();
        self.transport.buffer = BytesMut::new();
        usable
    }

    /// Sends a request and waits for the head of its final response.
    pub async fn exchange(
        mut self,
        mut request: Writer,
        body: &mut Body,
        method: &Method,
        patience: Patience,
    ) -> Result<Answered, Unanswered> {
        let mut scanner = Scanner::default();
        let (mut sent, mut interim, mut phase) = (false, 0, Phase::Fresh);
        let head = poll_fn(|cx| {
            loop {
                if !sent {
                    sent = self.poll_request(cx, &mut request, body)?;
                }
                if let Poll::Ready(head) = self.transport.poll_head(cx, &mut scanner, &LIMITS) {
                    let head =
                        parse(head, &scanner, method).map_err(|error| self.unanswered(error))?;
                    if is_final(&head) {
                        return Poll::Ready(Ok::<_, Unanswered>(head));
                    }
                    interim += 1;
                    scanner = Scanner::default();
                    if interim > MAX_INTERIM {
                        return Poll::Ready(
                            Err(Error::new(Kind::Malformed, Side::Upstream).into()),
                        );
                    }
                    continue;
                }
                ready!(self.poll_patience(cx, &mut phase, &mut request, sent, patience));
                let kind = if phase == Phase::Sending {
                    Kind::WriteTimeout
                } else {
                    Kind::ReadTimeout
                };
                return Poll::Ready(Err(Error::new(kind, Side::Upstream).into()));
            }
        })
        .await?;
        let rest = if sent {
            Rest::Sent(self)
        } else {
            Rest::Early(request, self)
        };
        Ok(Answered { head, rest })
    }

    /// The body that follows a response head; `home` takes the connection back after it.
    pub fn into_body(
        self,
        head: &ResponseHead,
        timeout: Duration,
        home: Option<Home>,
    ) -> ResponseBody<Stream> {
        let home = home.filter(|_| head.keep_alive);
        let decoder = Decoder::new(head.framing);
        let mut body = ResponseBody {
            transport: self.transport,
            decoder,
            deadline: self.deadline,
            timeout,
            home,
        };
        body.deadline.clear();
        body
    }

    /// As [`Idle::into_body`], with the writing half for the rest of the request. Such a connection is not used again.
    pub fn split(
        self,
        head: &ResponseHead,
        timeout: Duration,
    ) -> (ResponseBody<ReadHalf<Stream>>, WriteHalf<Stream>) {
        let (read, write) = tokio::io::split(self.transport.stream);
        let transport = Transport::new(read, self.transport.buffer);
        let decoder = Decoder::new(head.framing);
        (
            ResponseBody {
                transport,
                decoder,
                deadline: Deadline::default(),
                timeout,
                home: None,
            },
            write,
        )
    }

    /// The connection, for what is no longer HTTP.
    pub fn into_transport(self) -> Transport<Stream> {
        self.transport
    }

    /// Sends what can be sent; true when nothing is left to send.
    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Writer,
        body: &mut Body,
    ) -> Result<bool, Unanswered> {
        match request.poll_send(cx, &mut self.transport.stream, body) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Ready(Err(Unsent::Body(error))) => Err(error.into()),
            // The peer may have answered before it closed: the answer is read, if there is one.
            Poll::Ready(Err(Unsent::Stream(_))) => Ok(true),
        }
    }

    /// Ready when the peer has taken too long over what it is to do now.
    fn poll_patience(
        &mut self,
        cx: &mut Context<'_>,
        phase: &mut Phase,
        request: &mut Writer,
        sent: bool,
        patience: Patience,
    ) -> Poll<()> {
        let now = match (sent, request.is_blocked_by_stream()) {
            (true, _) => Phase::Waiting,
            (false, true) => Phase::Sending,
            (false, false) => Phase::Collecting,
        };
        if request.take_progress() || *phase != now {
            *phase = now;
            match now {
                Phase::Waiting => self.deadline.set(Instant::now() + patience.response),
                Phase::Sending => self.deadline.set(Instant::now() + patience.send),
                // The client is slow, not the peer: the request body has its own deadline.
                Phase::Collecting | Phase::Fresh => self.deadline.clear(),
            }
        }
        self.deadline.poll(cx)
    }

    fn unanswered(&self, error: Error) -> Unanswered {
        let stale = error.kind == Kind::Closed && self.transport.buffer.is_empty();
        Unanswered { error, stale }
    }
}

/// What the exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Collecting,
    Sending,
    Waiting,
}

impl<S: AsyncRead + Unpin> ResponseBody<S> {
    /// Bytes to come, when the response says so.
    pub fn length(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    /// Nothing is left to read.
    pub fn is_done(&self) -> bool {
        self.decoder.is_done()
    }

    /// Reads the next part of the body.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self
            .transport
            .poll_body(cx, &mut self.decoder, Side::Upstream)
        {
            Poll::Ready(step) => {
                self.deadline.clear();
                Poll::Ready(step.map(frame).transpose())
            }
            Poll::Pending => {
                if !self.deadline.is_set() {
                    self.deadline.set(Instant::now() + self.timeout);
                }
                ready!(self.deadline.poll(cx));
                Poll::Ready(Some(Err(Error::new(Kind::ReadTimeout, Side::Upstream))))
            }
        }
    }
}

impl ResponseBody<Stream> {
    /// Gives the connection back to its pool, if the body was read to its end and both sides can go on.
    pub fn give_back(self) {
        let clean =
            self.decoder.is_done() && self.transport.buffer.is_empty() && !self.transport.ended;
        if let Some(home) = self.home.filter(|_| clean) {
            home.take_back(Idle {
                transport: self.transport,
                deadline: self.deadline,
            });
        }
    }
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self {
            error,
            stale: false,
        }
    }
}

fn parse(
    head: Result<Bytes, HeadFault>,
    scanner: &Scanner,
    to: &Method,
) -> Result<ResponseHead, Error> {
    let refused = |fault| Error::because(Kind::Malformed, Side::Upstream, fault);
    match head {
        Ok(head) => parse_response(&head, scanner, to).map_err(refused),
        Err(HeadFault::Closed) => Err(Error::new(Kind::Closed, Side::Upstream)),
        Err(HeadFault::Malformed(Malformed::Truncated)) => Err(Error::because(
            Kind::Closed,
            Side::Upstream,
            Malformed::Truncated,
        )),
        Err(HeadFault::Malformed(fault)) => Err(refused(fault)),
        Err(HeadFault::Io(error)) => Err(Error::io(Side::Upstream, error)),
    }
}

/// 101 is final: what follows it is another protocol (RFC 9110 §15.2).
fn is_final(head: &ResponseHead) -> bool {
    !head.status.is_informational() || head.status == http::StatusCode::SWITCHING_PROTOCOLS
}
