//! A worker: one thread, one runtime, its own sockets. Everything a connection touches is the worker's own; the
//! supervisor talks to it through commands.

mod admission;
mod connection;
mod limits;
mod listening;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use alb_core::drain::Drain;
use alb_core::endpoint::{Bound, Endpoint};
use alb_core::log::{AccessBuffer, Seldom};
use alb_core::published::{Published, View};
use alb_core::stats::WorkerStats;
use alb_core::upstream::Resolver;
use alb_stream::udp::Stop;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};

use crate::snapshot::Snapshot;
use crate::supervisor::access_logs::Sinks;
use listening::Listening;

/// How long an access-log line may wait in a worker's buffer.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A running worker, in the hands of the supervisor.
pub struct Handle {
    commands: UnboundedSender<Command>,
    thread: JoinHandle<()>,
}

/// What the supervisor asks of a worker.
pub enum Command {
    /// Begins to listen on some sockets, under their configured addresses, and ceases on others after emptying their
    /// queues.
    Listen {
        /// Sockets to accept from.
        open: Vec<(Endpoint, Bound)>,
        /// Configured addresses to leave.
        close: Vec<Endpoint>,
        /// Where lines of the access logs go from now on.
        sinks: Sinks,
        /// Told when it is done.
        done: oneshot::Sender<io::Result<()>>,
    },
    /// Finishes what is under way, and ends.
    Drain,
    /// Ends now.
    Leave,
}

/// What a worker is made of.
pub struct Parts {
    /// Its place among the workers.
    pub index: usize,
    /// The configuration.
    pub published: Arc<Published<Snapshot>>,
    /// Its counters.
    pub stats: Arc<WorkerStats>,
    /// Dropped when the worker ends.
    pub alive: mpsc::Sender<()>,
}

/// The worker itself, on its thread.
struct Worker {
    snapshot: View<Snapshot>,
    http: Rc<alb_http::Worker>,
    stream: Rc<alb_stream::Worker>,
    mail: Rc<alb_mail::Worker>,
    stats: Arc<WorkerStats>,
    drain: Drain,
    access: Rc<AccessBuffer>,
    audit: Rc<AccessBuffer>,
    listening: RefCell<BTreeMap<Endpoint, Listening>>,
    next_id: Cell<u64>,
    /// Holds back the log lines of connections that are not let in.
    refusals: Seldom,
}

impl Handle {
    /// Starts the thread.
    pub fn spawn(parts: Parts) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (commands, receiver) = mpsc::unbounded_channel();
        let name = format!("alb-worker-{}", parts.index);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            let tasks = LocalSet::new();
            let logs = tasks.block_on(&runtime, run(parts, receiver));
            // Ends the connections that are still open: their lines belong into the logs, too.
            drop(tasks);
            logs.iter().for_each(|log| log.redirect(None));
        })?;
        Ok(Handle { commands, thread })
    }

    /// Sends a command; a worker that has ended takes none.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Waits for the thread to end.
    pub fn join(self) {
        // A panic outside of a connection has been logged by the hook.
        let _ = self.thread.join();
    }
}

/// Carries commands out until it is to end; the logs come back, for the last lines of what ends with the worker.
async fn run(parts: Parts, mut commands: UnboundedReceiver<Command>) -> [Rc<AccessBuffer>; 2] {
    let _alive = parts.alive;
    let worker = Worker::new(parts.index, &parts.published, parts.stats);
    let logs = [Rc::clone(&worker.access), Rc::clone(&worker.audit)];
    spawn_local(flush_regularly(logs.clone()));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Listen {
                open,
                close,
                sinks,
                done,
            } => {
                worker.access.redirect(sinks.access);
                worker.audit.redirect(sinks.mail);
                // The supervisor may have given up waiting.
                let _ = done.send(worker.listen(open, close, "listener removed").await);
            }
            Command::Drain => {
                worker.begin_drain().await;
                // `Leave` may still come while connections finish.
                tokio::select! {
                    () = worker.drain.emptied() => break,
                    _ = commands.recv() => break,
                }
            }
            Command::Leave => break,
        }
    }
    logs
}

impl Worker {
    fn new(
        index: usize,
        published: &Arc<Published<Snapshot>>,
        stats: Arc<WorkerStats>,
    ) -> Rc<Self> {
        let drain = Drain::default();
        let access = AccessBuffer::new(None, Arc::clone(&stats));
        let tables = published.view_of(|snapshot| Arc::clone(&snapshot.http));
        let http = alb_http::Worker::new(
            tables,
            Arc::clone(&stats),
            Rc::clone(&access),
            drain.clone(),
        );
        let stream = alb_stream::Worker::new(Arc::clone(&stats), Rc::clone(&access));
        let audit = AccessBuffer::new(None, Arc::clone(&stats));
        let snapshot = published.view();
        let mail = alb_mail::Worker::new(
            Arc::clone(&stats),
            Rc::clone(&audit),
            drain.clone(),
            resolver(&snapshot),
        );
        Rc::new(Worker {
            snapshot,
            http,
            stream,
            mail,
            stats,
            drain,
            access,
            audit,
            listening: RefCell::default(),
            next_id: Cell::new(first_id(index)),
            refusals: Seldom::every(Duration::from_secs(1)),
        })
    }

    async fn listen(
        self: &Rc<Self>,
        open: Vec<(Endpoint, Bound)>,
        close: Vec<Endpoint>,
        why: &'static str,
    ) -> io::Result<()> {
        for (endpoint, socket) in open {
            let listening = Listening::begin(self, endpoint, socket)?;
            self.listening.borrow_mut().insert(endpoint, listening);
        }
        let stop = Stop {
            within: *self.snapshot.pin().config.daemon.drain_timeout,
            why,
        };
        for endpoint in close {
            let listening = self.listening.borrow_mut().remove(&endpoint);
            if let Some(listening) = listening {
                listening.end(stop).await;
            }
        }
        Ok(())
    }

    async fn begin_drain(self: &Rc<Self>) {
        let all: Vec<_> = self.listening.borrow().keys().copied().collect();
        // Nothing is opened, so nothing can fail.
        let _ = self.listen(Vec::new(), all, "leaving").await;
        self.drain.begin();
    }
}

/// Asks for names on this thread; `None`: the system's settings cannot be read.
fn resolver(snapshot: &View<Snapshot>) -> Option<Resolver> {
    let pinned = snapshot.pin();
    let servers = pinned.config.daemon.resolvers.iter();
    let servers: Vec<_> = servers.map(|server| **server).collect();
    Resolver::new(&servers).ok()
}

async fn flush_regularly(logs: [Rc<AccessBuffer>; 2]) {
    let mut ticks = tokio::time::interval(FLUSH_EVERY);
    loop {
        ticks.tick().await;
        logs.iter().for_each(|log| log.flush());
    }
}

/// The number of a worker's first connection. The worker's own number in the top bits keeps those of all workers apart, and
/// the time, in seconds, those of the daemon before this one: logs of servers know sessions by them.
fn first_id(index: usize) -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs()) & 0xffff_ffff;
    (index as u64) << 48 | seconds << 16
}
