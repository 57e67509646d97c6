//! What the stream side of one worker keeps between sessions.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use alb_core::log::AccessBuffer;
use alb_core::stats::WorkerStats;
use alb_core::upstream::{Cursor, Upstream};

/// The stream side of a worker.
pub struct Worker {
    /// Counters.
    pub stats: Arc<WorkerStats>,
    /// Access log lines on their way.
    pub log: Rc<AccessBuffer>,
    cursors: RefCell<Vec<(Arc<Upstream>, Cursor)>>,
}

impl Worker {
    /// The stream side of the calling worker.
    pub fn new(stats: Arc<WorkerStats>, log: Rc<AccessBuffer>) -> Rc<Self> {
        Rc::new(Worker {
            stats,
            log,
            cursors: RefCell::default(),
        })
    }

    /// Uses this worker's place in the order of an upstream. Must not be called again from `f`.
    pub(crate) fn with_cursor<T>(
        &self,
        upstream: &Arc<Upstream>,
        f: impl FnOnce(&mut Cursor) -> T,
    ) -> T {
        let mut cursors = self.cursors.borrow_mut();
        let known = cursors.iter().position(|(u, _)| Arc::ptr_eq(u, upstream));
        let at = known.unwrap_or_else(|| {
            // Upstreams of earlier configurations that nobody else holds will not be asked for again.
            cursors.retain(|(upstream, _)| Arc::strong_count(upstream) > 1);
            let cursor = upstream.cursor(Cursor::random_start());
            cursors.push((Arc::clone(upstream), cursor));
            cursors.len() - 1
        });
        f(&mut cursors[at].1)
    }
}
