//! One HTTP/1 connection of a client: reads requests, has them handled, writes the responses, in order.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use alb_core::Stream;
use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode, Version};
use tokio::time::Instant;

use super::Malformed;
use super::head::{RequestHead, Scanner, parse_request};
use super::request_body::Shared;
use super::respond::{Answer, send};
use super::transport::HeadFault;
use crate::body::Body;
use crate::connection::Client;
use crate::deadline::Deadline;
use crate::response::Form;
use crate::upgrade::Tunnel;
use crate::{access_log, handler, response, upgrade};

/// A body that is left over is read and dropped up to this size, to keep the connection.
const DRAIN: u64 = 64 * 1024;
/// How long a connection lingers after a response to a request that was not read to its end.
const LINGER: Duration = Duration::from_secs(5);

/// Serves a connection from which `buffer` was read already, to its end.
pub async fn serve(client: Rc<Client>, stream: Stream, buffer: BytesMut) {
    let shared = Rc::new(RefCell::new(Shared::new(
        stream,
        buffer,
        client.settings.body_timeout,
    )));
    Connection {
        client,
        shared,
        deadline: Deadline::default(),
    }
    .run()
    .await;
}

struct Connection {
    client: Rc<Client>,
    shared: Rc<RefCell<Shared>>,
    /// For heads and responses; bodies have their own.
    deadline: Deadline,
}

/// What came of waiting for a request.
enum Next {
    Request(Box<RequestHead>),
    Refused(StatusCode, Option<Malformed>),
    Closed,
}

/// What becomes of the connection after a response.
enum After {
    Keep,
    Close,
    Tunnel(Box<Tunnel>),
}

impl Connection {
    async fn run(mut self) {
        let drain = self.client.worker.drain.clone();
        let mut leaving = pin!(drain.begun());
        loop {
            let after = match self.next(leaving.as_mut()).await {
                Next::Request(head) => self.exchange(*head).await,
                Next::Refused(status, fault) => self.refuse(status, fault).await,
                Next::Closed => return,
            };
            match after {
                Some(After::Keep) => {}
                Some(After::Close) => return self.close().await,
                Some(After::Tunnel(tunnel)) => return self.tunnel(*tunnel).await,
                None => return,
            }
        }
    }

    /// Waits for the head of a request. The first byte may take `idle_timeout`, the rest `header_timeout`.
    async fn next(&mut self, mut leaving: Pin<&mut impl Future<Output = ()>>) -> Next {
        let settings = Arc::clone(&self.client.settings);
        let mut scanner = Scanner::default();
        let first = self.shared.borrow().requests() == 0;
        let mut idle = true;
        let wait = if first {
            settings.header_timeout
        } else {
            settings.idle_timeout
        };
        self.deadline.set(Instant::now() + wait);
        poll_fn(|cx| {
            let shared = &mut *self.shared.borrow_mut();
            while let Poll::Ready(head) =
                shared
                    .transport
                    .poll_head(cx, &mut scanner, &settings.limits)
            {
                match head {
                    // RFC 9112 §2.2: an empty line before the request line is ignored.
                    Ok(head) if head.len() == 2 => scanner = Scanner::default(),
                    head => return Poll::Ready(parse(head, &scanner)),
                }
            }
            if idle && !shared.transport.buffer.is_empty() {
                idle = false;
                self.deadline.set(Instant::now() + settings.header_timeout);
            }
            // A client that has just connected is about to ask: it is heard even when the daemon leaves.
            if idle
                && !first
                && (self.client.worker.drain.is_draining() || leaving.as_mut().poll(cx).is_ready())
            {
                return Poll::Ready(Next::Closed);
            }
            ready!(self.deadline.poll(cx));
            Poll::Ready(if idle {
                Next::Closed
            } else {
                Next::Refused(StatusCode::REQUEST_TIMEOUT, None)
            })
        })
        .await
    }

    /// One request and its response. `None`: the connection is of no further use.
    async fn exchange(&mut self, head: RequestHead) -> Option<After> {
        let (version, head_only, may_keep) =
            (head.version, head.method == Method::HEAD, head.keep_alive);
        let mut request = Shared::open(&self.shared, head);
        let client = Rc::clone(&self.client);
        // Pinned where it is made: it holds a request's whole path, and moving it costs more than parsing the head.
        let response = pin!(handler::handle(&client, &mut request));
        let mut response = self.unless_gone(response).await?;
        let keep = may_keep && self.may_keep();
        let tunnel = response.body_mut().take_tunnel();
        let answer = Answer {
            version,
            head_only,
            keep: keep && tunnel.is_none(),
        };
        let keep = self.respond(response, answer).await? && keep;
        match tunnel {
            Some(tunnel) => Some(After::Tunnel(tunnel)),
            None if keep && self.finish_request().await => Some(After::Keep),
            None => Some(After::Close),
        }
    }

    /// Awaits `response`, unless the client goes away first: nobody is left to answer then.
    async fn unless_gone<T>(&self, mut response: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        poll_fn(|cx| match response.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending if self.shared.borrow_mut().is_gone(cx) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Whether the connection can outlive the response that is about to be sent.
    fn may_keep(&self) -> bool {
        let shared = self.shared.borrow();
        shared.requests() < u64::from(self.client.settings.keepalive_requests)
            && shared.can_skip_rest(DRAIN)
            && !self.client.worker.drain.is_draining()
    }

    /// Sends a response. `None` if it could not be sent, else whether the connection is still of use.
    async fn respond(&mut self, response: Response<Body>, answer: Answer) -> Option<bool> {
        let (writer, mut body, keep) = answer.start(response, &self.client.worker.clock);
        match send(
            &self.shared,
            writer,
            &mut body,
            &mut self.deadline,
            self.client.settings.send_timeout,
        )
        .await
        {
            Ok(()) => Some(keep),
            Err(unsent) => {
                tracing::debug!(client = %self.client.info.peer, ?unsent, "response not sent to its end");
                None
            }
        }
    }

    /// Answers what is not a request, and gives up on the connection.
    async fn refuse(&mut self, status: StatusCode, fault: Option<Malformed>) -> Option<After> {
        tracing::debug!(client = %self.client.info.peer, status = status.as_u16(), ?fault, "request refused");
        let record = access_log::Record::refused(&self.client, status);
        let mut response = response::error(status, Form::Plain);
        response.body_mut().record(record);
        self.client.worker.stats.requests.increment();
        self.client.worker.stats.response(status.as_u16());
        let answer = Answer {
            version: Version::HTTP_11,
            head_only: false,
            keep: false,
        };
        self.respond(response, answer).await?;
        Some(After::Close)
    }

    /// Reads what is left of a small request body, so that the next request can be found.
    async fn finish_request(&self) -> bool {
        let skipped = poll_fn(|cx| self.shared.borrow_mut().poll_skip(cx));
        self.shared.borrow().is_done()
            || tokio::time::timeout(Duration::from_secs(1), skipped)
                .await
                .unwrap_or(false)
    }

    /// Says goodbye, then waits for the client to do so: closing on unread data would reset the connection and take
    /// the response with it (RFC 9112 §9.6).
    async fn close(self) {
        let lingering = poll_fn(|cx| self.shared.borrow_mut().poll_close(cx));
        let _ = tokio::time::timeout(LINGER, lingering).await;
    }

    async fn tunnel(self, tunnel: Tunnel) {
        if let Some(shared) = Rc::into_inner(self.shared) {
            upgrade::relay(&self.client, shared.into_inner().into_transport(), tunnel).await;
        }
    }
}

fn parse(head: Result<Bytes, HeadFault>, scanner: &Scanner) -> Next {
    let parsed = match head {
        Ok(head) => parse_request(&head, scanner),
        Err(HeadFault::Malformed(fault)) if fault != Malformed::Truncated => Err(fault),
        Err(_) => return Next::Closed,
    };
    match parsed {
        Ok(head) => Next::Request(Box::new(head)),
        Err(fault) => Next::Refused(fault.status(), Some(fault)),
    }
}
