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
use super::head::{Framing, Limits, ResponseHead, Scanner, parse_response};
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
pub struct Idle(Box<Connection<Stream>>);

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
    Early(Idle),
}

/// The body of a response.
#[derive(Debug)]
pub struct ResponseBody<S>(Box<Connection<S>>);

/// A connection to a peer. Allocated once: it is handed from request to response to pool as a pointer.
#[derive(Debug)]
struct Connection<S> {
    transport: Transport<S>,
    deadline: Deadline,
    /// For the body of the response that is being read.
    decoder: Decoder,
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
        Self(Box::new(Connection::new(stream, BytesMut::new())))
    }

    /// Whether the peer has neither closed nor said anything unasked: then it can serve another request.
    pub fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let transport = &mut self.0.transport;
        transport.poll_read(&mut cx, 64).is_pending() && transport.buffer.is_empty()
    }

    /// Sends a request and waits for the head of its final response.
    pub async fn exchange(
        mut self,
        request: &mut Writer,
        body: &mut Body,
        method: &Method,
        patience: Patience,
    ) -> Result<Answered, Unanswered> {
        let mut scanner = Scanner::default();
        let (mut sent, mut interim, mut phase) = (false, 0, Phase::Fresh);
        let head = poll_fn(|cx| {
            loop {
                if !sent {
                    sent = self.poll_request(cx, request, body)?;
                }
                if let Poll::Ready(head) = self.0.transport.poll_head(cx, &mut scanner, &LIMITS) {
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
                ready!(self.poll_patience(cx, &mut phase, request, sent, patience));
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
            Rest::Early(self)
        };
        Ok(Answered { head, rest })
    }

    /// The body that follows a response head; `home` takes the connection back after it.
    pub fn into_body(
        self,
        head: &ResponseHead,
        timeout: Duration,
        home: Home,
    ) -> ResponseBody<Stream> {
        let mut connection = self.0;
        connection.home = head.keep_alive.then_some(home);
        connection.expect_body(head, timeout);
        ResponseBody(connection)
    }

    /// As [`Idle::into_body`], with the writing half for the rest of the request. Such a connection is not used again.
    pub fn split(
        self,
        head: &ResponseHead,
        timeout: Duration,
    ) -> (ResponseBody<ReadHalf<Stream>>, WriteHalf<Stream>) {
        let transport = self.into_transport();
        let (read, write) = tokio::io::split(transport.stream);
        let mut connection = Box::new(Connection::new(read, transport.buffer));
        connection.expect_body(head, timeout);
        (ResponseBody(connection), write)
    }

    /// The connection, for what is no longer HTTP.
    pub fn into_transport(self) -> Transport<Stream> {
        self.0.transport
    }

    /// Sends what can be sent; true when nothing is left to send.
    fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut Writer,
        body: &mut Body,
    ) -> Result<bool, Unanswered> {
        match request.poll_send(cx, &mut self.0.transport.stream, body) {
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
                Phase::Waiting => self.0.deadline.set(Instant::now() + patience.response),
                Phase::Sending => self.0.deadline.set(Instant::now() + patience.send),
                // The client is slow, not the peer: the request body has its own deadline.
                Phase::Collecting | Phase::Fresh => self.0.deadline.clear(),
            }
        }
        self.0.deadline.poll(cx)
    }

    fn unanswered(&self, error: Error) -> Unanswered {
        let stale = error.kind == Kind::Closed && self.0.transport.buffer.is_empty();
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

impl<S: AsyncRead + Unpin> Connection<S> {
    fn new(stream: S, buffer: BytesMut) -> Self {
        Self {
            transport: Transport::new(stream, buffer),
            deadline: Deadline::default(),
            decoder: Decoder::new(Framing::None),
            timeout: Duration::MAX,
            home: None,
        }
    }

    /// What follows is the body of a response with this head.
    fn expect_body(&mut self, head: &ResponseHead, timeout: Duration) {
        self.decoder = Decoder::new(head.framing);
        self.timeout = timeout;
        self.deadline.clear();
    }
}

impl<S: AsyncRead + Unpin> ResponseBody<S> {
    /// Bytes to come, when the response says so.
    pub fn length(&self) -> Option<u64> {
        self.0.decoder.remaining()
    }

    /// Nothing is left to read.
    pub fn is_done(&self) -> bool {
        self.0.decoder.is_done()
    }

    /// Reads the next part of the body.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Connection {
            transport,
            deadline,
            decoder,
            timeout,
            ..
        } = &mut *self.0;
        match transport.poll_body(cx, decoder, Side::Upstream) {
            Poll::Ready(step) => {
                deadline.clear();
                Poll::Ready(step.map(frame).transpose())
            }
            Poll::Pending => {
                if !deadline.is_set() {
                    deadline.set(Instant::now() + *timeout);
                }
                ready!(deadline.poll(cx));
                Poll::Ready(Some(Err(Error::new(Kind::ReadTimeout, Side::Upstream))))
            }
        }
    }
}

impl ResponseBody<Stream> {
    /// Gives the connection back to its pool, if the body was read to its end and both sides can go on.
    pub fn give_back(self) {
        let mut connection = self.0;
        let transport = &connection.transport;
        let clean = connection.decoder.is_done() && transport.buffer.is_empty() && !transport.ended;
        // An idle connection holds no memory for what may come.
        connection.transport.buffer = BytesMut::new();
        if let Some(home) = connection.home.take().filter(|_| clean) {
            home.take_back(Idle(connection));
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
