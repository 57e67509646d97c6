//! What the HTTP side of one worker keeps between requests. `Rc` and `Cell` throughout: nothing here leaves its thread.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use alb_core::drain::Drain;
use alb_core::log::{AccessBuffer, Seldom};
use alb_core::published::{Pinned, View};
use alb_core::stats::WorkerStats;
use alb_core::upstream::Cursor;

use crate::clock::Clock;
use crate::pool::Pool;
use crate::route::Tables;
use crate::static_files::Cache;

/// The HTTP side of a worker.
pub struct Worker {
    /// Tells when the worker is leaving.
    pub drain: Drain,
    /// Counters.
    pub stats: Arc<WorkerStats>,
    /// Access log lines on their way.
    pub log: Rc<AccessBuffer>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) clock: Clock,
    /// Holds back the log lines of requests that are denied.
    pub(crate) denials: Seldom,
    view: View<Tables>,
    generation: Cell<u64>,
    pinned: RefCell<Rc<Current>>,
}

/// The tables of one configuration, with what a worker keeps for them.
pub(crate) struct Current {
    pub tables: Pinned<Tables>,
    /// By the number of the upstream.
    pub cursors: Vec<RefCell<Cursor>>,
    /// By the number of the route.
    pub caches: Vec<Rc<Cache>>,
}

impl Worker {
    /// The HTTP side of the calling worker; must be called within its `LocalSet`.
    pub fn new(
        view: View<Tables>,
        stats: Arc<WorkerStats>,
        log: Rc<AccessBuffer>,
        drain: Drain,
    ) -> Rc<Self> {
        let pinned = RefCell::new(Rc::new(Current::new(view.pin())));
        let generation = Cell::new(view.generation());
        Rc::new(Self {
            drain,
            stats,
            log,
            pool: Pool::new(),
            clock: Clock::default(),
            denials: Seldom::every(Duration::from_secs(1)),
            view,
            generation,
            pinned,
        })
    }

    /// The tables of this moment, kept as they are for as long as the caller holds them.
    pub(crate) fn pin(&self) -> Rc<Current> {
        let tables = self.view.pin();
        if self.view.generation() != self.generation.get() {
            self.generation.set(self.view.generation());
            *self.pinned.borrow_mut() = Rc::new(Current::new(tables));
        }
        Rc::clone(&self.pinned.borrow())
    }
}

impl Current {
    fn new(tables: Pinned<Tables>) -> Self {
        let start = Cursor::random_start();
        let cursors = tables
            .upstreams
            .iter()
            .map(|u| RefCell::new(u.cursor(start)))
            .collect();
        let caches = (0..tables.file_routes)
            .map(|_| Rc::new(Cache::default()))
            .collect();
        Self {
            tables,
            cursors,
            caches,
        }
    }
}
