//! HTTP/2 in and out, by hyper: this module gives it streams, bodies, limits and timeouts.

pub mod client;
pub mod server;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alb_core::{Error, Kind, Side};
use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::time::Instant;

use crate::deadline::Deadline;

/// A body from an HTTP/2 stream, with a bound on the pause between two parts.
#[derive(Debug)]
pub struct StreamBody {
    incoming: Incoming,
    side: Side,
    timeout: Duration,
    deadline: Deadline,
}

/// Runs hyper's tasks on the worker they belong to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnWorker;

impl StreamBody {
    /// A body read from the connection on `side`.
    pub fn new(incoming: Incoming, side: Side, timeout: Duration) -> Self {
        Self {
            incoming,
            side,
            timeout,
            deadline: Deadline::default(),
        }
    }

    /// Nothing follows the head.
    pub fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// Bytes to come, when the head says so.
    pub fn length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next part.
    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.deadline.clear();
                Poll::Ready(
                    frame.map(|f| f.map_err(|e| Error::because(Kind::Closed, self.side, e))),
                )
            }
            Poll::Pending => {
                if !self.deadline.is_set() {
                    self.deadline.set(Instant::now() + self.timeout);
                }
                ready!(self.deadline.poll(cx));
                Poll::Ready(Some(Err(Error::new(Kind::ReadTimeout, self.side))))
            }
        }
    }
}

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for OnWorker {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
