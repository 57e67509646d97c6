//! One flow: a client's datagrams to one peer, and the peer's back to the client.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use alb_core::Side;
use alb_core::limit::Permit as Limited;
use alb_core::listener::Permit as Counted;
use alb_core::upstream::{Active, Outcome, Upstream};

use super::policer::Policer;
use super::progress::{Progress, Rules};
use super::run::{MOST, Run};
use super::socket::{Sent, Socket, Way};
use super::table::Key;
use crate::Worker;
use crate::record::Record;

/// A flow while it lasts.
pub(super) struct Flow {
    pub key: Key,
    pub rules: Rules,
    /// Towards the peer.
    pub socket: Socket,
    /// Tells it from others that have had its number.
    pub mark: u32,
    upstream: Arc<Upstream>,
    progress: Progress,
    up: Direction,
    down: Direction,
    /// The last turn in which replies came, and whether they were several.
    last_turn: u32,
    several: bool,
    record: Record,
    active: Active,
    _held: (Limited, Counted),
    _open: Open,
}

/// Counts a flow for as long as it lives.
struct Open(Rc<Worker>);

/// What a flow is made of.
pub(super) struct Parts {
    pub key: Key,
    pub rules: Rules,
    pub socket: Socket,
    pub mark: u32,
    pub upstream: Arc<Upstream>,
    pub record: Record,
    pub active: Active,
    pub limited: Limited,
    pub counted: Counted,
}

/// One direction.
struct Direction {
    policer: Policer,
    /// The kernel takes runs apart on this way.
    splits: bool,
}

impl Flow {
    /// A flow through which nothing has passed.
    pub fn new(worker: &Rc<Worker>, parts: Parts) -> Box<Self> {
        worker.stats.flows.increment();
        worker.stats.flows_open.increment();
        let direction = || Direction {
            policer: Policer::new(parts.limited.throttle()),
            splits: true,
        };
        Box::new(Flow {
            key: parts.key,
            rules: parts.rules,
            socket: parts.socket,
            mark: parts.mark,
            upstream: parts.upstream,
            progress: Progress::default(),
            up: direction(),
            down: direction(),
            last_turn: 0,
            several: false,
            record: parts.record,
            active: parts.active,
            _held: (parts.limited, parts.counted),
            _open: Open(Rc::clone(worker)),
        })
    }

    /// Whether the client's next datagram begins another flow.
    pub fn is_full(&self) -> bool {
        self.progress.is_full(&self.rules)
    }

    /// Whether all is said.
    pub fn is_complete(&self) -> bool {
        self.progress.is_complete(&self.rules)
    }

    /// Whether datagrams of the client may go on together: each of them counts, but for nothing else.
    pub fn joins(&self) -> bool {
        self.rules.is_open() && !self.up.policer.is_strict()
    }

    /// How many replies to ask for in this turn. One that is seldom answered is not asked in vain for a second.
    pub fn appetite(&mut self, turn: u32) -> usize {
        let again = self.last_turn.wrapping_add(1) == turn;
        self.last_turn = turn;
        if again || self.several { MOST } else { 1 }
    }

    /// So many have come at once.
    pub fn fed(&mut self, calls: usize) {
        self.several = calls > 1;
        if self.several {
            self.socket.join();
        }
    }

    /// Passes datagrams of the client on to the peer.
    ///
    /// # Errors
    ///
    /// The peer cannot be reached.
    pub fn request(&mut self, worker: &Worker, run: &Run<'_>, now: Instant) -> io::Result<()> {
        let sent = self
            .up
            .pass(run, now, |run, splits| self.socket.send(run, None, splits))?;
        self.progress.request(sent.count, sent.bytes);
        worker.stats.relayed_up.add(sent.bytes as u64);
        count(worker, run, sent);
        Ok(())
    }

    /// Passes replies on to the client.
    pub fn reply(&mut self, worker: &Worker, out: &Socket, run: &Run<'_>, now: Instant) {
        let way = Way {
            to: self.key.client,
            from: self.key.local,
        };
        let sent = self
            .down
            .pass(run, now, |run, splits| out.send(run, Some(&way), splits));
        // Whatever is wrong with the way to a client ends nothing: the peer has answered.
        let sent = sent.unwrap_or_default();
        count(worker, run, sent);
        if sent.count == 0 {
            return;
        }
        worker.stats.relayed_down.add(sent.bytes as u64);
        if self.progress.reply(sent.count, sent.bytes) {
            self.report(worker, Outcome::Success, now);
        }
    }

    /// Notes how it ended; silence may mean that the peer has failed.
    pub fn end(mut self, worker: &Worker, ended: (Side, &'static str), now: Instant) {
        let silent_peer = ended == SILENCE && self.progress.is_unanswered(&self.rules);
        let ended = if silent_peer { UNANSWERED } else { ended };
        if ended.0 == Side::Upstream {
            worker.stats.upstream_failures.increment();
            self.report(worker, Outcome::Failure, now);
        }
        self.record.ended = ended;
    }

    fn report(&self, worker: &Worker, outcome: Outcome, now: Instant) {
        let peer = self.active.peer();
        worker.with_cursor(&self.upstream, |c| c.report(peer, outcome, now));
    }
}

impl Drop for Flow {
    /// However it ends, also with its worker: its line says what has passed.
    fn drop(&mut self) {
        let (progress, record) = (&self.progress, &mut self.record);
        (record.received, record.sent) = (progress.received, progress.sent);
        record.datagrams = Some((progress.requests, progress.replies));
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.stats.flows_open.decrement();
    }
}

/// Everything that was to come has come.
pub(super) const COMPLETE: (Side, &str) = (Side::Gateway, "complete");
/// Nothing has passed for `idle_timeout`.
pub(super) const SILENCE: (Side, &str) = (Side::Gateway, "idle");
/// ICMP says that nobody is there, or there is no way.
pub(super) const UNREACHABLE: (Side, &str) = (Side::Upstream, "unreachable");
const UNANSWERED: (Side, &str) = (Side::Upstream, "unanswered");

fn count(worker: &Worker, run: &Run<'_>, sent: Sent) {
    worker.stats.datagrams.add(sent.count);
    worker.stats.datagrams_dropped.add(run.count - sent.count);
}

impl Direction {
    /// Sends what of a run may pass now: all of it, or one after the other where bandwidth is counted.
    fn pass(
        &mut self,
        run: &Run<'_>,
        now: Instant,
        send: impl Fn(&Run<'_>, &mut bool) -> io::Result<Sent>,
    ) -> io::Result<Sent> {
        if !self.policer.is_strict() {
            return send(run, &mut self.splits);
        }
        let mut sent = Sent::default();
        for datagram in run.datagrams() {
            if !self.policer.passes(datagram.len(), now) {
                continue;
            }
            let piece = [io::IoSlice::new(datagram)];
            let one = send(&Run::one(&piece), &mut self.splits)?;
            sent.count += one.count;
            sent.bytes += one.bytes;
        }
        Ok(sent)
    }
}
