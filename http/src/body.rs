//! The body of a message, wherever it comes from. One closed enum, so that a chunk on its way through the
//! gateway meets a jump and not a virtual call.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use alb_core::limit::Permit;
use alb_core::upstream::Active;
use alb_core::{Error, Kind, Side, Stream};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::io::ReadHalf;
use tokio::sync::oneshot;

use crate::access_log::Record;
use crate::exchange::Pump;
use crate::h1::RequestBody;
use crate::h1::client::ResponseBody;
use crate::h2;
use crate::pace::Limited;
use crate::static_files::FileBody;
use crate::upgrade::Tunnel;

/// The body of a request or a response.
#[derive(Default)]
pub struct Body {
    source: Source,
    /// Bytes that may still pass, when there is a limit.
    allowance: Option<u64>,
    touched: bool,
    record: Option<Box<Record>>,
    /// Counts the response at its peer while it lasts.
    active: Option<Active>,
    /// The limits it is under.
    limited: Option<Box<Limited>>,
    /// Dropped, and so noticed, when the body is over.
    over: Option<oneshot::Sender<()>>,
}

#[derive(Default)]
enum Source {
    #[default]
    Empty,
    Full(Bytes),
    /// A request over HTTP/1.
    Client(RequestBody),
    /// A response over HTTP/1.
    Peer(ResponseBody<Stream>),
    /// A response over HTTP/1 that began before its request ended.
    EarlyPeer {
        body: ResponseBody<ReadHalf<Stream>>,
        _request: Pump,
    },
    /// Either, over HTTP/2.
    Http2(Box<h2::StreamBody>),
    File(FileBody),
    /// Bodies one after the other.
    Several(VecDeque<Body>),
    /// What follows is no longer HTTP.
    Tunnel(Box<Tunnel>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A request body read from an HTTP/1 connection.
    pub fn client(body: RequestBody) -> Self {
        Source::Client(body).into()
    }

    /// A response body read from an HTTP/1 connection.
    pub fn peer(body: ResponseBody<Stream>) -> Self {
        if body.is_done() {
            body.give_back();
            return Self::empty();
        }
        Source::Peer(body).into()
    }

    /// A response body read from an HTTP/1 connection on which the request is still being written.
    pub fn early_peer(body: ResponseBody<ReadHalf<Stream>>, request: Pump) -> Self {
        Source::EarlyPeer {
            body,
            _request: request,
        }
        .into()
    }

    /// A body read from an HTTP/2 stream.
    pub fn http2(body: h2::StreamBody) -> Self {
        if body.is_end() {
            Self::empty()
        } else {
            Source::Http2(Box::new(body)).into()
        }
    }

    /// A file, or a part of it.
    pub fn file(file: FileBody) -> Self {
        Source::File(file).into()
    }

    /// One body after the other.
    pub fn several(bodies: impl IntoIterator<Item = Body>) -> Self {
        Source::Several(bodies.into_iter().collect()).into()
    }

    /// The other end of an upgraded connection, to go with status 101.
    pub fn tunnel(tunnel: Tunnel) -> Self {
        Source::Tunnel(Box::new(tunnel)).into()
    }

    /// Takes the other end of an upgraded connection out.
    pub fn take_tunnel(&mut self) -> Option<Box<Tunnel>> {
        match std::mem::take(&mut self.source) {
            Source::Tunnel(mut tunnel) => {
                tunnel.limited = self.limited.take();
                Some(tunnel)
            }
            other => {
                self.source = other;
                None
            }
        }
    }

    /// More than `bytes` is an error.
    pub fn limit(&mut self, bytes: u64) {
        self.allowance = Some(bytes);
    }

    /// Has `record` count what passes, and write its line when the body is over.
    pub fn record(&mut self, record: Option<Box<Record>>) {
        self.record = record;
    }

    /// Holds the count of a try at a peer until the body is over.
    pub fn count(&mut self, active: Active) {
        self.active = Some(active);
    }

    /// Holds what its limits have counted until the body is over, and keeps to their bandwidth.
    pub fn limit_by(&mut self, permit: Permit) {
        if !permit.is_empty() {
            self.limited = Some(Box::new(Limited::new(permit)));
        }
    }

    /// Tells, by dropping it, when the body has been sent or given up.
    pub fn notifying(mut self, over: oneshot::Sender<()>) -> Self {
        self.over = Some(over);
        self
    }

    /// Takes the body away; what stays says that there was one.
    pub fn take(&mut self) -> Self {
        let touched = !matches!(self.source, Source::Empty);
        let rest = Self {
            touched: touched || self.touched,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }

    /// Something was taken from it, or tried: it cannot be sent a second time.
    pub fn is_touched(&self) -> bool {
        self.touched
    }

    /// Its length, when known beforehand.
    pub fn length(&self) -> Option<u64> {
        match &self.source {
            Source::Empty | Source::Tunnel(_) => Some(0),
            Source::Full(bytes) => Some(bytes.len() as u64),
            Source::Client(body) => body.length(),
            Source::Peer(body) => body.length(),
            Source::EarlyPeer { body, .. } => body.length(),
            Source::Http2(body) => body.length(),
            Source::File(file) => Some(file.length()),
            Source::Several(bodies) => bodies.iter().map(Body::length).sum(),
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.source {
            Source::Empty | Source::Tunnel(_) => Poll::Ready(None),
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.source = Source::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Source::Client(body) => body.poll_frame(cx),
            Source::Peer(body) => {
                let frame = ready!(body.poll_frame(cx));
                self.release();
                Poll::Ready(frame)
            }
            Source::EarlyPeer { body, .. } => body.poll_frame(cx),
            Source::Http2(body) => body.poll_frame(cx),
            Source::File(file) => file.poll_frame(cx),
            Source::Several(bodies) => poll_several(bodies, cx),
        }
    }

    fn poll_limited(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(mut limited) = self.limited.take() else {
            return self.poll_source(cx);
        };
        let frame = limited.poll_frame(cx, |cx| self.poll_source(cx));
        self.limited = Some(limited);
        frame
    }

    /// Lets the connection of a response go once it has been read.
    fn release(&mut self) {
        match std::mem::take(&mut self.source) {
            Source::Peer(body) if body.is_done() => body.give_back(),
            source => self.source = source,
        }
    }

    fn account(&mut self, data: &Bytes) -> Result<(), Error> {
        if let Some(record) = &mut self.record {
            record.sent += data.len() as u64;
        }
        if let Some(allowance) = &mut self.allowance {
            let left = allowance.checked_sub(data.len() as u64);
            *allowance = left.ok_or(Error::new(Kind::TooLarge, Side::Client))?;
        }
        Ok(())
    }
}

fn poll_several(
    bodies: &mut VecDeque<Body>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
    while let Some(body) = bodies.front_mut() {
        match ready!(body.poll_source(cx)) {
            None => drop(bodies.pop_front()),
            frame => return Poll::Ready(frame),
        }
    }
    Poll::Ready(None)
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::empty()
        } else {
            Source::Full(bytes).into()
        }
    }
}

impl From<Source> for Body {
    fn from(source: Source) -> Self {
        Self {
            source,
            ..Self::default()
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.touched |= !matches!(self.source, Source::Empty);
        let frame = ready!(self.poll_limited(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.account(data)?;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let is_read = matches!(self.source, Source::Empty | Source::Tunnel(_));
        is_read
            && !self
                .limited
                .as_ref()
                .is_some_and(|limited| limited.has_rest())
    }

    fn size_hint(&self) -> SizeHint {
        self.length()
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
