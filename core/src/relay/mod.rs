//! Carrying bytes both ways between a client and a peer until both directions are over: half-close passes through, and a
//! buffer is held only while bytes wait in it. Between plain TCP sockets the kernel moves what comes in bulk.
//!
//! Knows no protocol; shakes no hands, chooses no peers and writes no log. Whoever relays says what it means.

mod buffer;
mod pipe;
mod way;

#[cfg(test)]
mod spliced;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::error::Side;
use crate::limit::Throttle;
use crate::stats::WorkerStats;
use crate::stream::{LASTING, Socket, Stream};
use way::Way;

/// A connection that can be relayed.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {
    /// The socket, where bytes pass it as they are: the kernel can move those by itself.
    fn tcp(&self) -> Option<&TcpStream>;

    /// Has the kernel watch over the connection; see [`Stream::keep_alive`].
    fn keep_alive(&self);
}

impl Duplex for Stream {
    fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Stream::Plain(Socket::Tcp(stream)) => Some(stream),
            _ => None,
        }
    }

    fn keep_alive(&self) {
        Stream::keep_alive(self);
    }
}

/// The relay of one session. What it has carried can be asked at any time, also when its future was dropped.
pub struct Relay {
    idle_timeout: Duration,
    stats: Arc<WorkerStats>,
    up: Way,
    down: Way,
    /// Who ended its direction first.
    first: Option<Side>,
    /// The peer's end is the end of the session.
    ends_with_upstream: bool,
}

/// How a relay ended.
#[derive(Debug)]
pub struct Ended {
    /// Who ended it: the first to close, the side that failed, or the gateway.
    pub by: Side,
    /// Why.
    pub why: Why,
}

/// Why a relay ended.
#[derive(Debug)]
pub enum Why {
    /// Both directions were closed properly.
    Closed,
    /// Nothing moved for `idle_timeout`.
    Idle,
    /// Reading from, or writing to, that side failed.
    Failed(io::Error),
}

impl Relay {
    /// A relay that ends when nothing has moved for `idle_timeout`.
    pub fn new(idle_timeout: Duration, stats: Arc<WorkerStats>) -> Self {
        Relay {
            idle_timeout,
            stats,
            up: Way::default(),
            down: Way::default(),
            first: None,
            ends_with_upstream: false,
        }
    }

    /// Has these bytes, which the client sent before, go to the peer first.
    #[must_use]
    pub fn with_from_client(mut self, bytes: Vec<u8>) -> Self {
        self.up = Way::starting_with(bytes);
        self
    }

    /// Has these bytes, which the peer sent before, go to the client first.
    #[must_use]
    pub fn with_from_upstream(mut self, bytes: Vec<u8>) -> Self {
        self.down = Way::starting_with(bytes);
        self
    }

    /// Is over when the peer has ended, and the client has all it said: for protocols whose servers have the last word. A
    /// client that does not close would keep its session until it is idle otherwise.
    #[must_use]
    pub fn ending_with_upstream(mut self) -> Self {
        self.ends_with_upstream = true;
        self
    }

    /// Holds what comes from the client, and what comes from the peer, to a pace.
    #[must_use]
    pub fn paced(mut self, up: Option<Throttle>, down: Option<Throttle>) -> Self {
        self.up.pace(up);
        self.down.pace(down);
        self
    }

    /// Bytes of the client that the peer has been given.
    pub fn received(&self) -> u64 {
        self.up.moved()
    }

    /// Bytes of the peer that the client has been given.
    pub fn sent(&self) -> u64 {
        self.down.moved()
    }

    /// Carries until both directions are over, one side fails, or nothing moves for too long. Both are to be dropped then:
    /// the second to be told the end may learn of it by that.
    pub async fn run(&mut self, client: &mut impl Duplex, upstream: &mut impl Duplex) -> Ended {
        let mut moved_at = Instant::now();
        // One timer that is looked at when it fires: setting it at every read would cost more than the read.
        let mut timer = pin!(sleep_until(moved_at + LASTING.min(self.idle_timeout)));
        poll_fn(|cx| {
            let before = (self.received(), self.sent());
            let ended = self.carry(cx, client, upstream);
            let after = (self.received(), self.sent());
            if before != after {
                moved_at = Instant::now();
                self.stats.relayed_up.add(after.0 - before.0);
                self.stats.relayed_down.add(after.1 - before.1);
            }
            if ended.is_ready() {
                return ended;
            }
            while timer.as_mut().poll(cx).is_ready() {
                if moved_at + self.idle_timeout <= Instant::now() {
                    return Poll::Ready(Ended::gateway(Why::Idle));
                }
                upstream.keep_alive();
                timer.as_mut().reset(moved_at + self.idle_timeout);
            }
            Poll::Pending
        })
        .await
    }

    /// Moves what can be moved now.
    fn carry(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut impl Duplex,
        upstream: &mut impl Duplex,
    ) -> Poll<Ended> {
        let up = self.up.carry(cx, client, upstream, self.down.is_over());
        // Where the peer's end is the end of the session, the client's socket is closed next.
        let last = self.up.is_over() || self.ends_with_upstream;
        let down = self.down.carry(cx, upstream, client, last);
        let failed = match (up, down) {
            (Err(fault), _) => fault.between(Side::Client, Side::Upstream),
            (_, Err(fault)) => fault.between(Side::Upstream, Side::Client),
            (Ok(()), Ok(())) => return self.settle(),
        };
        Poll::Ready(failed)
    }

    fn settle(&mut self) -> Poll<Ended> {
        let (up, down) = (self.up.is_over(), self.down.is_over());
        let first = match (up, down) {
            (true, _) => Side::Client,
            (_, true) => Side::Upstream,
            _ => return Poll::Pending,
        };
        let by = *self.first.get_or_insert(first);
        match down && (up || self.ends_with_upstream) {
            true => Poll::Ready(Ended {
                by,
                why: Why::Closed,
            }),
            false => Poll::Pending,
        }
    }
}

impl Ended {
    fn gateway(why: Why) -> Self {
        Ended {
            by: Side::Gateway,
            why,
        }
    }
}

impl Why {
    /// The word for logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Why::Closed => "closed",
            Why::Idle => "idle",
            // A TLS stream that ends without close_notify (RFC 8446 §6.1): what was sent may be incomplete.
            Why::Failed(error) if error.kind() == io::ErrorKind::UnexpectedEof => "truncated",
            Why::Failed(error) if error.kind() == io::ErrorKind::ConnectionReset => "reset",
            Why::Failed(error) if error.kind() == io::ErrorKind::BrokenPipe => "reset",
            Why::Failed(_) => "failed",
        }
    }
}
