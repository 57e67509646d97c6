//! What the mail side of one worker keeps between sessions. Nothing here leaves its thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use alb_core::drain::Drain;
use alb_core::log::AccessBuffer;
use alb_core::stats::WorkerStats;
use alb_core::upstream::{Active, Affinity, Cursor, Outcome, PeerRef, Resolver, Tried, Upstream};

use crate::promised::Promises;

/// The mail side of a worker.
pub struct Worker {
    /// Tells when the worker is leaving.
    pub drain: Drain,
    /// Asks for the names of clients, if it can.
    pub(crate) resolver: Option<Resolver>,
    /// Counters.
    pub stats: Arc<WorkerStats>,
    /// The audit log.
    pub log: Rc<AccessBuffer>,
    /// Handshakes under way only to refuse a client.
    pub(crate) refusals: Cell<usize>,
    /// What clients are promised.
    pub(crate) promises: Promises,
    /// By the name of the upstream, for the one that is in force.
    cursors: RefCell<HashMap<String, (Arc<Upstream>, Cursor)>>,
}

impl Worker {
    /// The mail side of the calling worker.
    pub fn new(
        stats: Arc<WorkerStats>,
        log: Rc<AccessBuffer>,
        drain: Drain,
        resolver: Option<Resolver>,
    ) -> Rc<Self> {
        Rc::new(Worker {
            drain,
            resolver,
            stats,
            log,
            refusals: Cell::default(),
            promises: Promises::default(),
            cursors: RefCell::default(),
        })
    }

    /// Chooses a server not in `tried`; the user is the key of those that are chosen by hash.
    pub(crate) fn pick(
        &self,
        upstream: &Arc<Upstream>,
        client_ip: IpAddr,
        user: Option<&str>,
        tried: &mut Tried,
    ) -> Option<Active> {
        let affinity = Affinity {
            client_ip,
            key: user.map(str::as_bytes),
            cookie: None,
        };
        self.with_cursor(upstream, |c| c.pick_for(Instant::now(), &affinity, tried))
    }

    /// The server a user belongs to, among those that are in force. `None` where users belong to none.
    pub(crate) fn home(&self, upstream: &str, client_ip: IpAddr, user: &str) -> Option<PeerRef> {
        let affinity = Affinity {
            client_ip,
            key: Some(user.as_bytes()),
            cookie: None,
        };
        let mut cursors = self.cursors.borrow_mut();
        cursors.get_mut(upstream)?.1.home(&affinity)
    }

    /// Tells how a try ended.
    pub(crate) fn report(&self, upstream: &Arc<Upstream>, peer: &PeerRef, outcome: Outcome) {
        if outcome == Outcome::Failure {
            self.stats.upstream_failures.increment();
        }
        self.with_cursor(upstream, |cursor| {
            cursor.report(peer, outcome, Instant::now())
        });
    }

    fn with_cursor<T>(&self, upstream: &Arc<Upstream>, use_it: impl FnOnce(&mut Cursor) -> T) -> T {
        let mut cursors = self.cursors.borrow_mut();
        let fresh = || {
            (
                Arc::clone(upstream),
                upstream.cursor(Cursor::random_start()),
            )
        };
        let entry = match cursors.get_mut(upstream.name()) {
            Some(entry) => entry,
            None => cursors
                .entry(upstream.name().to_owned())
                .or_insert_with(fresh),
        };
        // After a reload the name may stand for another group; a session of the old one takes turns with it then.
        if !Arc::ptr_eq(&entry.0, upstream) {
            *entry = fresh();
        }
        use_it(&mut entry.1)
    }
}
