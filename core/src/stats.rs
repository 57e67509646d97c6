//! What happened, in numbers: one set of counters per worker, written by that worker only and summed on demand,
//! and one of the supervisor. Counting never waits and never shares a cache line's ownership between workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use alb_gm::tls::{Protocol, Reason};

/// A number written by one thread and read by any.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning worker may call this: it is a load and a store, not a locked instruction.
    pub fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Takes one away: for gauges.
    pub fn decrement(&self) {
        self.add(u64::MAX);
    }

    /// Replaces the value: for what is measured anew each time.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many reasons of handshake failure, and how many protocols, are counted apart.
const REASONS: usize = Reason::ALL.len();
const PROTOCOLS: usize = 3;

/// The counters of one worker.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerStats {
    /// Connections accepted since the start.
    pub connections: Counter,
    /// Connections open now.
    pub connections_open: Counter,
    /// Connections closed at once because a listener's `max_connections` was reached.
    pub connections_refused: Counter,
    /// Connections closed, and requests answered with 403, because an access list denies the client's address.
    pub access_denied: Counter,
    /// Connections closed because their PROXY header was missing, malformed or from somebody who is not trusted.
    pub proxy_headers_refused: Counter,
    /// Requests refused because of the page that linked here, or of a link that is not signed or has expired.
    pub links_refused: Counter,
    /// Requests received.
    pub requests: Counter,
    /// Responses sent, by the first digit of the status (index 1 to 5; 0 when none could be sent).
    pub responses: [Counter; 6],
    /// Connections made to peers.
    pub upstream_connections: Counter,
    /// Tries at peers that failed, and UDP flows that did not get their replies.
    pub upstream_failures: Counter,
    /// Requests tried again on another peer.
    pub upstream_retries: Counter,
    /// Bytes of clients that peers were given by relays: streams, and what else is carried unread.
    pub relayed_up: Counter,
    /// Bytes of peers that clients were given by relays.
    pub relayed_down: Counter,
    /// Stream sessions begun: TCP connections and UDP flows.
    pub stream_sessions: Counter,
    /// UDP flows begun.
    pub flows: Counter,
    /// UDP flows that have not ended.
    pub flows_open: Counter,
    /// Datagrams passed on, in either direction.
    pub datagrams: Counter,
    /// Datagrams not passed on: no peer, too many flows, a limit, an access list.
    pub datagrams_dropped: Counter,
    /// Stream sessions that no peer took.
    pub stream_unserved: Counter,
    /// Requests, connections and sessions refused by a limit.
    pub limit_refused: Counter,
    /// Those a limit made wait.
    pub limit_delayed: Counter,
    /// Those a limit in `dry_run` would have refused or made wait.
    pub limit_excused: Counter,
    /// Connections ended by a panic, a fault of the gateway.
    pub panics: Counter,
    /// Access-log lines lost because the disk could not keep up.
    pub log_lines_dropped: Counter,
    /// Handshakes resumed from an earlier session.
    pub handshakes_resumed: Counter,
    handshakes: [Counter; PROTOCOLS],
    handshake_failures: [Counter; REASONS],
}

impl WorkerStats {
    /// Counts a handshake that succeeded.
    pub fn handshake(&self, protocol: Protocol, resumed: bool) {
        self.handshakes[protocol as usize].increment();
        if resumed {
            self.handshakes_resumed.increment();
        }
    }

    /// Counts a handshake that failed.
    pub fn handshake_failed(&self, reason: Reason) {
        self.handshake_failures[reason as usize].increment();
    }

    /// Counts a response by its status.
    pub fn response(&self, status: u16) {
        let class = usize::from(status / 100);
        self.responses[if class < self.responses.len() {
            class
        } else {
            0
        }]
        .increment();
    }

    /// How many handshakes of this protocol succeeded.
    pub fn handshakes(&self, protocol: Protocol) -> u64 {
        self.handshakes[protocol as usize].get()
    }

    /// How many handshakes failed for this reason.
    pub fn handshake_failures(&self, reason: Reason) -> u64 {
        self.handshake_failures[reason as usize].get()
    }
}

/// Counts one open connection for as long as it lives, and notices if a panic ends it.
#[derive(Debug)]
pub struct OpenConnection(Arc<WorkerStats>);

impl OpenConnection {
    /// Counts a connection that has been accepted.
    pub fn enter(stats: &Arc<WorkerStats>) -> Self {
        stats.connections_open.increment();
        OpenConnection(Arc::clone(stats))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections_open.decrement();
        // The runtime catches the panic of a task and tells nobody; this is the place that sees it pass.
        if std::thread::panicking() {
            self.0.panics.increment();
        }
    }
}

/// The numbers the supervisor writes, and only it.
#[derive(Debug, Default)]
pub struct SupervisorStats {
    /// Certificates and revocation lists of the configuration that had expired at the last look.
    pub expired: Counter,
    /// Those that were to expire within 30 days.
    pub expiring: Counter,
}

/// The numbers the prober writes, and only it.
#[derive(Debug, Default)]
pub struct HealthStats {
    /// Checks of peers.
    pub checks: Counter,
    /// Those that failed.
    pub failures: Counter,
    /// Peers taken out or brought back by checks.
    pub changes: Counter,
    /// Peers that are out now because of their checks.
    pub down: Counter,
}

/// The counters of all workers, of the supervisor and of the prober.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    workers: Arc<Mutex<Vec<Arc<WorkerStats>>>>,
    supervisor: Arc<SupervisorStats>,
    health: Arc<HealthStats>,
}

impl Registry {
    /// A new set of counters for a worker.
    pub fn register(&self) -> Arc<WorkerStats> {
        let stats = Arc::new(WorkerStats::default());
        self.lock().push(Arc::clone(&stats));
        stats
    }

    /// One number over all workers, such as `registry.sum(|w| w.requests.get())`.
    pub fn sum(&self, number: impl Fn(&WorkerStats) -> u64) -> u64 {
        self.lock()
            .iter()
            .fold(0, |sum, worker| sum.wrapping_add(number(worker)))
    }

    /// What the supervisor counts.
    pub fn supervisor(&self) -> &SupervisorStats {
        &self.supervisor
    }

    /// What the prober counts.
    pub fn health(&self) -> &Arc<HealthStats> {
        &self.health
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<WorkerStats>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_workers_and_lets_a_gauge_fall() {
        let registry = Registry::default();
        let (one, two) = (registry.register(), registry.register());
        one.connections_open.increment();
        two.connections_open.add(2);
        two.connections_open.decrement();
        assert_eq!(registry.sum(|w| w.connections_open.get()), 2);
    }

    #[tokio::test]
    async fn a_panic_ends_its_task_only_and_is_counted() {
        let stats = Arc::new(WorkerStats::default());
        let local = tokio::task::LocalSet::new();
        let open = OpenConnection::enter(&stats);
        let faulty = local.spawn_local(async move {
            let _open = open;
            panic!("a fault, as this test wants it");
        });
        let sound = local.spawn_local(async { 7 });
        local.await;
        assert!(faulty.await.expect_err("a panic").is_panic());
        assert_eq!(sound.await.expect("no panic"), 7);
        assert_eq!((stats.connections_open.get(), stats.panics.get()), (0, 1));
    }

    #[test]
    fn a_status_out_of_range_is_counted_as_none() {
        let stats = WorkerStats::default();
        stats.response(204);
        stats.response(999);
        assert_eq!((stats.responses[2].get(), stats.responses[0].get()), (1, 1));
    }
}
