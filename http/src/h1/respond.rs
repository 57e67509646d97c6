//! A response on its way to a client: what the connection adds to its head, and the sending.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use http::{Response, StatusCode, Version};
use tokio::time::Instant;

use super::encode::{self, Present};
use super::head::Framing;
use super::request_body::Shared;
use super::writer::{self, Unsent, Writer};
use crate::body::Body;
use crate::clock::Clock;
use crate::deadline::Deadline;

/// What a request says about the form of its response.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The client's version.
    pub version: Version,
    /// It asked for the head only.
    pub head_only: bool,
    /// The connection can serve another request.
    pub keep: bool,
}

impl Answer {
    /// The response ready to be sent, its body, and whether the connection can be kept after it.
    pub fn start(self, response: Response<Body>, clock: &Clock) -> (Writer, Body, bool) {
        let (parts, body) = response.into_parts();
        let framing = self.framing(parts.status, &body);
        let keep = self.keep && framing != Framing::UntilClose;
        let mut head = Vec::with_capacity(encode::ROOM + writer::behind_head(&body));
        let present = encode::response_head(&mut head, parts.status, &parts.headers);
        if !present.date {
            encode::field(&mut head, b"date", &clock.date());
        }
        self.declare(&mut head, present, framing, keep);
        head.extend_from_slice(b"\r\n");
        (Writer::new(head, framing), body, keep)
    }

    /// RFC 9112 §6.3 from the sender's side.
    fn framing(self, status: StatusCode, body: &Body) -> Framing {
        let bodyless = status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || self.head_only;
        match body.length() {
            _ if bodyless => Framing::None,
            Some(length) => Framing::Length(length),
            None if self.version == Version::HTTP_10 => Framing::UntilClose,
            None => Framing::Chunked,
        }
    }

    fn declare(self, head: &mut Vec<u8>, present: Present, framing: Framing, keep: bool) {
        match framing {
            Framing::Length(n) if !present.content_length => {
                head.extend_from_slice(b"content-length: ");
                encode::decimal(head, n);
                head.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => head.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            _ => {}
        }
        if present.connection {
            return;
        }
        match (keep, self.version) {
            (false, _) => head.extend_from_slice(b"connection: close\r\n"),
            (true, Version::HTTP_10) => head.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, _) => {}
        }
    }
}

/// Sends a response to its end; no pause may be longer than `timeout`.
pub async fn send(
    shared: &Rc<RefCell<Shared>>,
    mut writer: Writer,
    body: &mut Body,
    deadline: &mut Deadline,
    timeout: Duration,
) -> Result<(), Unsent> {
    let mut waiting = false;
    poll_fn(|cx| {
        let sent = writer.poll_send(cx, &mut shared.borrow_mut().transport.stream, body);
        if sent.is_ready() {
            return sent;
        }
        if !writer.is_blocked_by_stream() {
            waiting = false;
            // Nothing to send now; a client that leaves meanwhile would not be noticed until there is.
            if shared.borrow_mut().is_gone(cx) {
                return Poll::Ready(Err(Unsent::Stream(io::ErrorKind::ConnectionAborted.into())));
            }
            return Poll::Pending;
        }
        if writer.take_progress() || !waiting {
            waiting = true;
            deadline.set(Instant::now() + timeout);
        }
        ready!(deadline.poll(cx));
        Poll::Ready(Err(Unsent::Stream(io::ErrorKind::TimedOut.into())))
    })
    .await
}
