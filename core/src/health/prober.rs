//! The prober: a task per checked peer, started and ended as upstreams and their peers change.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::sleep;

use super::check::{Check, Found};
use super::probe::probe;
use crate::stats::HealthStats;
use crate::upstream::verdict::Change;
use crate::upstream::{Peer, Upstream};

/// How often it is looked whether names have brought other peers.
const LOOK: Duration = Duration::from_millis(500);

/// The first check of a peer comes within this time, or within the interval if that is shorter.
const FIRST: Duration = Duration::from_millis(500);

/// A task that ends with its entry in the table.
struct Task {
    /// Keeps the address that is the key from being used again.
    peer: Arc<Peer>,
    abort: AbortHandle,
}

/// Checks the peers of the current upstreams until the sender is dropped; must be called within a `LocalSet`. There must be
/// one of it in a daemon.
pub async fn run(mut upstreams: watch::Receiver<Vec<Arc<Upstream>>>, stats: Arc<HealthStats>) {
    let mut tasks: HashMap<*const Peer, Task> = HashMap::new();
    loop {
        let current = upstreams.borrow_and_update().clone();
        reconcile(&mut tasks, &current, &stats);
        tokio::select! {
            changed = upstreams.changed() => if changed.is_err() { return },
            () = sleep(LOOK), if !current.is_empty() => {}
        }
    }
}

/// Ends the tasks of peers that are gone and starts those of new ones.
fn reconcile(
    tasks: &mut HashMap<*const Peer, Task>,
    upstreams: &[Arc<Upstream>],
    stats: &Arc<HealthStats>,
) {
    let mut wanted = HashMap::new();
    for upstream in upstreams {
        if let Some(check) = &upstream.settings().health {
            for peer in upstream.peers().iter().filter(|peer| !peer.is_down()) {
                let entry = (Arc::clone(upstream), Arc::clone(check), Arc::clone(peer));
                wanted.insert(Arc::as_ptr(peer), entry);
            }
        }
    }
    tasks.retain(|key, _| wanted.contains_key(key));
    for (key, (upstream, check, peer)) in wanted {
        tasks.entry(key).or_insert_with(|| {
            let task = attend(upstream, check, Arc::clone(&peer), Arc::clone(stats));
            let abort = spawn_local(task).abort_handle();
            Task { peer, abort }
        });
    }
    let down = tasks.values().filter(|t| t.peer.fails_checks()).count();
    stats.down.set(down as u64);
}

/// Checks one peer again and again.
async fn attend(
    upstream: Arc<Upstream>,
    check: Arc<Check>,
    peer: Arc<Peer>,
    stats: Arc<HealthStats>,
) {
    let dice = RandomState::new();
    sleep(part(check.interval.min(FIRST), dice.hash_one(0))).await;
    let mut before = Found::Good;
    for round in 1u64.. {
        let found = probe(&peer, &upstream, &check).await;
        stats.checks.increment();
        remark(&peer, &check, &found, &before);
        match &found {
            Found::Good | Found::Flawed(_) => take(&peer, &check, Ok(()), &stats),
            Found::Bad(seen) => {
                stats.failures.increment();
                take(&peer, &check, Err(seen), &stats);
            }
            Found::Busy(_) => {}
        }
        before = found;
        // From nine to eleven tenths, so that gateways do not ask in step.
        let fifth = part(check.interval / 5, dice.hash_one(round));
        sleep(check.interval - check.interval / 10 + fifth).await;
    }
}

/// A random part of a time.
fn part(whole: Duration, random: u64) -> Duration {
    whole.mul_f64((random >> 11) as f64 / (1u64 << 53) as f64)
}

/// Tells of what the verdict does not, when it is new.
fn remark(peer: &Peer, check: &Check, found: &Found, before: &Found) {
    let (said, seen) = match (found, before) {
        // The words may hold a time or a number; once is enough.
        (Found::Flawed(seen), Found::Good | Found::Busy(_) | Found::Bad(_)) => {
            ("health check found what needs attention", seen)
        }
        (Found::Busy(seen), Found::Good | Found::Flawed(_) | Found::Bad(_)) => (
            "health check turned away for now: it counts neither for nor against the peer",
            seen,
        ),
        _ => return,
    };
    let (upstream, kind) = (peer.upstream(), check.kind.as_str());
    tracing::warn!(upstream, peer = %peer.address(), kind, seen, "{said}");
}

/// Notes a result, and tells when it changes the verdict.
fn take(peer: &Peer, check: &Check, result: Result<(), &str>, stats: &HealthStats) {
    let good = result.is_ok();
    let (kind, expected) = (check.kind.as_str(), check.expected());
    let seen = result.err().unwrap_or("a good answer");
    match peer.verdict().take(good, check.rise, check.fall) {
        Some(Change::Down) => {
            stats.changes.increment();
            tracing::warn!(
                upstream = peer.upstream(),
                peer = %peer.address(),
                kind, expected, seen,
                "health check failed {} times: the peer is not used",
                check.fall
            );
        }
        Some(Change::Up) => {
            stats.changes.increment();
            peer.rise(Instant::now());
            tracing::info!(
                upstream = peer.upstream(),
                peer = %peer.address(),
                kind,
                "health check passed {} times: the peer is used again",
                check.rise
            );
        }
        None if !good => tracing::debug!(
            upstream = peer.upstream(),
            peer = %peer.address(),
            kind, expected, seen,
            "health check failed"
        ),
        None => {}
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
