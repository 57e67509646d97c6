//! Connections that a service has been asked on and will be asked on again, each kept by the worker that opened it. No I/O
//! of its own: a connection that has something to say, or has ended, is found out when it is wanted.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use alb_core::Stream;
use alb_core::upstream::PeerAddress;
use tokio::io::{AsyncRead, ReadBuf};

use super::answer;

/// How long a connection is kept without a question: less than services usually wait for one.
const LONGEST: Duration = Duration::from_secs(10);

thread_local! {
    /// The oldest first.
    static IDLE: RefCell<VecDeque<Idle>> = const { RefCell::new(VecDeque::new()) };
}

/// The connections of one service, of all workers.
pub struct Connections {
    service: u64,
    /// Most that each worker keeps.
    most: usize,
}

struct Idle {
    service: u64,
    peer: PeerAddress,
    since: Instant,
    stream: Stream,
}

impl Connections {
    /// Of a service of which each worker keeps at most so many.
    pub fn new(most: u32) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Connections {
            service: NEXT.fetch_add(1, Ordering::Relaxed),
            most: most as usize,
        }
    }

    /// A connection to a peer that has been kept and is still open.
    pub fn take(&self, peer: &PeerAddress, now: Instant) -> Option<Stream> {
        IDLE.with_borrow_mut(|idle| {
            forget_old(idle, now);
            loop {
                let ours = |one: &Idle| one.service == self.service && one.peer == *peer;
                let mut one = idle.remove(idle.iter().rposition(ours)?)?;
                if is_silent(&mut one.stream) {
                    return Some(one.stream);
                }
            }
        })
    }

    /// Keeps a connection, if there are not enough of them.
    pub fn keep(&self, peer: &PeerAddress, stream: Stream, now: Instant) {
        IDLE.with_borrow_mut(|idle| {
            forget_old(idle, now);
            let ours = idle.iter().filter(|one| one.service == self.service);
            if ours.count() < self.most {
                idle.push_back(Idle {
                    service: self.service,
                    peer: peer.clone(),
                    since: now,
                    stream,
                });
            }
        });
    }
}

/// Also those of services that are configured no more.
fn forget_old(idle: &mut VecDeque<Idle>, now: Instant) {
    let old = |one: &Idle| now.saturating_duration_since(one.since) > LONGEST;
    while idle.front().is_some_and(old) {
        idle.pop_front();
    }
}

/// Open, and without a word that nobody has asked for.
fn is_silent(stream: &mut Stream) -> bool {
    let mut byte = [0];
    let mut room = ReadBuf::new(&mut byte);
    let mut context = Context::from_waker(Waker::noop());
    Pin::new(stream)
        .poll_read(&mut context, &mut room)
        .is_pending()
}

/// Whether this is the whole of an answer after which the connection stays open: the service says so, and how long the
/// body is (RFC 9112 § 9.3). A body that is still coming is not waited for.
pub fn is_reusable(answer: &[u8]) -> bool {
    let Some(head) = answer::head(answer) else {
        return false;
    };
    let (mut stays, mut length) = (false, None);
    for line in answer::lines(head).skip(1) {
        let Some((name, value)) = answer::field(line) else {
            return false;
        };
        if name.eq_ignore_ascii_case(b"connection") {
            stays = value.eq_ignore_ascii_case(b"keep-alive");
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let new = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
            let (None, Some(new)) = (length, new) else {
                return false;
            };
            length = Some(new);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return false;
        }
    }
    let empty_line = match answer[head.len() + 1..].starts_with(b"\r") {
        true => 2,
        false => 1,
    };
    let body = answer.len() - (head.len() + 1 + empty_line);
    stays && length == Some(body)
}

#[cfg(test)]
mod tests {
    use super::is_reusable;

    #[test]
    fn a_connection_is_kept_when_the_service_keeps_it_and_the_answer_is_whole() {
        for (whole, answer) in [
            (true, "Connection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
            (true, "connection: Keep-Alive\ncontent-length: 2\n\nok"),
            (
                false,
                "Connection: keep-alive\r\nContent-Length: 2\r\n\r\no",
            ),
            (
                false,
                "Connection: keep-alive\r\nContent-Length: 0\r\n\r\nx",
            ),
            (
                false,
                "Connection: keep-alive\r\nContent-Length: -1\r\n\r\n",
            ),
            (false, "Connection: keep-alive\r\n\r\n"),
            (false, "Connection: close\r\nContent-Length: 0\r\n\r\n"),
            (false, "Content-Length: 0\r\n\r\n"),
            (
                false,
                "Connection: keep-alive\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                false,
                "Connection: keep-alive\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            (false, "Connection: keep-alive\r\nContent-Length: 0\r\n"),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\nAuth-Status: OK\r\n{answer}");
            assert_eq!(is_reusable(answer.as_bytes()), whole, "{answer}");
        }
    }
}
