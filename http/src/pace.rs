//! A response under limits: counted until its last byte, and no faster than its bandwidth allows. While it waits,
//! nothing is read from its source, so that the peer waits too.

use std::task::{Context, Poll, ready};
use std::time::Instant;

use alb_core::Error;
use alb_core::limit::{Permit, Throttle};
use bytes::Bytes;
use http_body::Frame;

use crate::deadline::Deadline;

type Next = Option<Result<Frame<Bytes>, Error>>;

/// What the limits of a response need while it lasts.
#[derive(Debug)]
pub struct Limited {
    throttle: Option<Throttle>,
    /// Over when more may be sent.
    wait: Deadline,
    /// Has been read, and is to be sent in pieces.
    rest: Bytes,
    permit: Permit,
}

impl Limited {
    /// The response that was let through with this permit.
    pub fn new(permit: Permit) -> Self {
        Self {
            throttle: permit.throttle(),
            wait: Deadline::default(),
            rest: Bytes::new(),
            permit,
        }
    }

    /// What paces one direction of an upgraded connection; `None` if nothing does.
    pub fn throttle(&self) -> Option<Throttle> {
        self.permit.throttle()
    }

    /// Something has been read from the source and not been sent.
    pub fn has_rest(&self) -> bool {
        !self.rest.is_empty()
    }

    /// The next piece; `source` is asked when it is time and there is nothing left of the last.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        source: impl FnOnce(&mut Context<'_>) -> Poll<Next>,
    ) -> Poll<Next> {
        let Some(throttle) = &mut self.throttle else {
            return source(cx);
        };
        if self.wait.is_set() {
            ready!(self.wait.poll(cx));
        }
        let mut data = std::mem::take(&mut self.rest);
        if data.is_empty() {
            let frame = match ready!(source(cx)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            };
            data = match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
        }
        if data.len() > throttle.piece() {
            self.rest = data.split_off(throttle.piece());
        }
        let wait = throttle.take(data.len(), Instant::now());
        if !wait.is_zero() {
            self.wait.set(tokio::time::Instant::now() + wait);
        }
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}
