//! Message bodies of clients and origins.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A body of any kind.
pub type Payload = UnsyncBoxBody<Bytes, hyper::Error>;

/// No body.
pub fn empty() -> Payload {
    Empty::new().map_err(never).boxed_unsync()
}

/// These bytes.
pub fn full(bytes: impl Into<Bytes>) -> Payload {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

/// `length` bytes of the letter `a`, made as they are asked for.
pub fn filler(length: u64) -> Payload {
    Filler { left: length }.map_err(never).boxed_unsync()
}

/// These bytes, their length not announced, and then these trailers.
pub fn with_trailers(bytes: impl Into<Bytes>, trailers: HeaderMap) -> Payload {
    let frames = [Ok(Frame::data(bytes.into())), Ok(Frame::trailers(trailers))];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// Reads a body to its end and says how long it was, without keeping it.
pub async fn length(mut body: Incoming) -> Result<u64, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, |data| data.len() as u64);
    }
    Ok(length)
}

struct Filler {
    left: u64,
}

impl Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static CHUNK: [u8; 64 * 1024] = [b'a'; 64 * 1024];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let length = self.left.min(CHUNK.len() as u64);
        self.left -= length;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(
            &CHUNK[..length as usize],
        )))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn never(error: Infallible) -> hyper::Error {
    match error {}
}
