//! One flow: a client's datagrams to one peer, and the peer's back to the client.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use alb_core::Side;
use alb_core::limit::Permit as Limited;
use alb_core::listener::Permit as Counted;
use alb_core::upstream::{Active, Outcome, PeerRef, Upstream};
use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::policer::Policer;
use super::progress::{Progress, Rules, Verdict};
use super::server::Server;
use super::socket::{Datagrams, LARGEST, Socket};
use crate::record::Record;

/// Datagrams of one peer that are passed on before others get their turn.
const TURN: usize = 32;

/// Whose flow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub client: SocketAddr,
    /// The address of ours the client uses, if that is not clear.
    pub local: Option<IpAddr>,
}

/// A flow while it lasts.
pub(super) struct Flow {
    pub key: Key,
    socket: Socket,
    upstream: Arc<Upstream>,
    rules: Rules,
    progress: Cell<Progress>,
    up: RefCell<Policer>,
    down: RefCell<Policer>,
    record: RefCell<Record>,
    /// The peer has failed while it was sent to.
    failed: Cell<bool>,
    /// Something has changed that the flow's task must see.
    changed: Notify,
    active: Active,
    _held: (Limited, Counted),
}

/// What a flow is made of.
pub(super) struct Parts {
    pub key: Key,
    pub socket: Socket,
    pub upstream: Arc<Upstream>,
    pub rules: Rules,
    pub record: Record,
    pub active: Active,
    pub limited: Limited,
    pub counted: Counted,
}

thread_local! {
    /// Where replies are received; nothing waits while it is in use.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LARGEST]);
}

impl Flow {
    pub fn new(parts: Parts, now: Instant) -> Rc<Self> {
        let throttle = || Policer::new(parts.limited.throttle());
        Rc::new(Flow {
            key: parts.key,
            socket: parts.socket,
            upstream: parts.upstream,
            rules: parts.rules,
            progress: Cell::new(Progress::begin(now)),
            up: RefCell::new(throttle()),
            down: RefCell::new(throttle()),
            record: RefCell::new(parts.record),
            failed: Cell::new(false),
            changed: Notify::new(),
            active: parts.active,
            _held: (parts.limited, parts.counted),
        })
    }

    /// Whether the client's next datagram begins another flow.
    pub fn is_full(&self) -> bool {
        self.progress.get().is_full(&self.rules)
    }

    /// Whether all is said.
    pub fn is_complete(&self) -> bool {
        self.progress.get().is_complete(&self.rules)
    }

    /// Passes datagrams of the client on to the peer.
    pub fn request(&self, server: &Server, datagrams: &Datagrams<'_>, now: Instant) {
        if !self.up.borrow_mut().passes(datagrams.bytes.len(), now) {
            return server.worker.stats.datagrams_dropped.add(datagrams.count());
        }
        if self.socket.send(datagrams, None, None).is_err() {
            self.failed.set(true);
            return self.changed.notify_one();
        }
        let mut progress = self.progress.get();
        progress.request(datagrams.count(), datagrams.bytes.len(), now);
        self.progress.set(progress);
        let stats = &server.worker.stats;
        stats.datagrams.add(datagrams.count());
        stats.relayed_up.add(datagrams.bytes.len() as u64);
        if self.is_complete() {
            self.changed.notify_one();
        }
    }

    /// Carries replies until the flow is over.
    pub async fn run(self: Rc<Self>, server: Rc<Server>) {
        let ended = self.replies(&server).await;
        self.close(&server, ended);
    }

    /// Notes how it ended, and lets the client's next datagram begin another.
    pub fn close(self: &Rc<Self>, server: &Server, ended: (Side, &'static str)) {
        server.forget(self);
        let progress = self.progress.get();
        let mut record = self.record.borrow_mut();
        (record.received, record.sent) = (progress.received, progress.sent);
        record.datagrams = Some((progress.requests, progress.replies));
        record.ended = ended;
    }

    async fn replies(&self, server: &Server) -> (Side, &'static str) {
        let mut look_at = Instant::now() + self.rules.idle_timeout;
        loop {
            tokio::select! {
                ready = self.socket.readable() => {
                    let result = ready.and_then(|()| self.pass_replies(server));
                    if result.is_err() {
                        return self.refused(server);
                    }
                }
                () = self.changed.notified() => {}
                () = sleep_until(look_at.into()) => {}
            }
            if self.failed.get() {
                return self.refused(server);
            }
            if self.is_complete() {
                return (Side::Gateway, "complete");
            }
            match self.progress.get().verdict(&self.rules, Instant::now()) {
                Verdict::GoesOn(until) => look_at = until,
                Verdict::Silent => return (Side::Gateway, "idle"),
                Verdict::Unanswered => {
                    self.report(server, Outcome::Failure);
                    return (Side::Upstream, "unanswered");
                }
            }
        }
    }

    /// Passes on what the peer has sent.
    fn pass_replies(&self, server: &Server) -> io::Result<()> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..TURN {
                match self.socket.receive(buffer) {
                    Ok(datagrams) => self.reply(server, &datagrams),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    fn reply(&self, server: &Server, datagrams: &Datagrams<'_>) {
        let (now, bytes) = (Instant::now(), datagrams.bytes.len());
        let stats = &server.worker.stats;
        if !self.down.borrow_mut().passes(bytes, now) {
            return stats.datagrams_dropped.add(datagrams.count());
        }
        let Key { client, local } = self.key;
        if server.socket.send(datagrams, Some(client), local).is_err() {
            return stats.datagrams_dropped.add(datagrams.count());
        }
        let mut progress = self.progress.get();
        let first = progress.reply(datagrams.count(), bytes, now);
        self.progress.set(progress);
        stats.datagrams.add(datagrams.count());
        stats.relayed_down.add(bytes as u64);
        if first {
            self.report(server, Outcome::Success);
        }
    }

    /// ICMP says that nobody is there, or that the peer cannot be reached.
    fn refused(&self, server: &Server) -> (Side, &'static str) {
        self.report(server, Outcome::Failure);
        (Side::Upstream, "unreachable")
    }

    fn report(&self, server: &Server, outcome: Outcome) {
        let peer: &PeerRef = self.active.peer();
        let worker = &server.worker;
        worker.with_cursor(&self.upstream, |c| c.report(peer, outcome, Instant::now()));
    }
}
