//! One address of an upstream and what the workers know of its health.
//! Passive failure detection as nginx does it for a shared zone; time is passed in.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use alb_conf::PeerEntry;

use super::address::{Located, PeerAddress};
use super::settings::Settings;
use super::sticky::Tag;
use super::verdict::Verdict;
use crate::published::Pinned;

/// Shares are counted in this fraction of a weight, so that a slow start of weight 1 is not 0.
pub(super) const SHARE_UNIT: i64 = 1024;

/// The share a slow start begins with: about a hundredth.
const FIRST_SHARE: i64 = 10;

/// One address of an upstream.
pub struct Peer {
    id: u64,
    upstream: Arc<str>,
    address: PeerAddress,
    host: Option<String>,
    tag: Tag,
    weight: i64,
    down: bool,
    drain: bool,
    max_conns: usize,
    max_fails: u32,
    fail_timeout: Duration,
    slow_start: Duration,
    probed: bool,
    state: Arc<PeerState>,
}

/// A peer in the hands of one worker: copies cost nothing that another worker sees.
pub type PeerRef = Pinned<Peer>;

/// How a try at a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It answered.
    Success,
    /// It could not be reached, broke off, or answered with a status of `retry.on`.
    Failure,
}

/// A chosen peer; counts one try at it for as long as it lives.
pub struct Active(PeerRef);

/// What all workers share about a peer, kept across reloads. Times are milliseconds since `epoch`.
pub struct PeerState {
    epoch: Instant,
    active: AtomicUsize,
    fails: AtomicU32,
    /// The last failure.
    accessed: AtomicU64,
    /// The beginning of the current window, or of the penalty.
    checked: AtomicU64,
    /// How far failures have lowered the weight.
    penalty: AtomicI64,
    /// When its slow start began, plus 1; 0: it is over.
    rising: AtomicU64,
    /// What the active checks say.
    pub(crate) verdict: Verdict,
}

impl Peer {
    pub(super) fn new(
        upstream: Arc<str>,
        located: Located,
        entry: &PeerEntry,
        settings: &Settings,
        id: u64,
        state: Arc<PeerState>,
    ) -> Self {
        let sticky = settings.sticky.as_ref();
        Peer {
            id,
            upstream,
            tag: sticky.map(|s| s.tag(&located.address)).unwrap_or_default(),
            address: located.address,
            host: located.host,
            weight: i64::from(located.weight.unwrap_or(entry.weight).max(1)),
            down: entry.down,
            drain: entry.drain,
            max_conns: entry.max_conns.map_or(usize::MAX, |most| most as usize),
            max_fails: settings.max_fails,
            fail_timeout: settings.fail_timeout,
            slow_start: settings.slow_start,
            probed: settings.health.is_some(),
            state,
        }
    }

    /// The same, whatever its entry says of `down`.
    pub(super) fn in_service(self) -> Self {
        Peer {
            down: false,
            ..self
        }
    }

    /// The key of connection pools: stays across a reload only if idle connections may be used after it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Where it is.
    pub fn address(&self) -> &PeerAddress {
        &self.address
    }

    /// The host as written in `peers`: what TLS names and verifies by default. `None` for a unix socket.
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The name of its upstream.
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Tries under way at this peer, by all workers.
    pub fn active(&self) -> usize {
        self.state.active.load(Ordering::Relaxed)
    }

    /// Whether it takes new work now: neither down, drained nor full, nor out after failures seen in passing or by checks.
    pub fn is_available(&self, now: Instant) -> bool {
        !self.drain && self.is_sound(now)
    }

    /// Whether it is well, and not only due for a try: neither down nor drained, its checks say so, and it has answered since it
    /// last failed. Where it is checked it is enough that it has not failed for `fail_timeout`.
    pub fn is_well(&self, now: Instant) -> bool {
        let state = &self.state;
        let failed = state.fails.load(Ordering::Relaxed) > 0;
        let passed = state
            .millis(now)
            .saturating_sub(state.accessed.load(Ordering::Relaxed));
        let over = self.probed && passed > self.timeout_millis();
        !self.down && !self.drain && !self.fails_checks() && (!failed || over)
    }

    /// Whether it takes the work of clients that belong to it.
    pub(super) fn is_sound(&self, now: Instant) -> bool {
        self.is_up() && !self.is_out(now)
    }

    /// Whether nothing but failures seen in passing speaks against it.
    pub(super) fn is_up(&self) -> bool {
        !self.down && self.active() < self.max_conns && !self.fails_checks()
    }

    /// Whether the active checks, if there are any, say that it must not be used.
    pub fn fails_checks(&self) -> bool {
        self.probed && self.state.verdict.is_down()
    }

    /// Whether the configuration takes it out.
    pub fn is_down(&self) -> bool {
        self.down
    }

    /// Whether it takes no new clients.
    pub fn is_drained(&self) -> bool {
        self.drain
    }

    /// The weight in the configuration, or that of its service record.
    pub fn weight(&self) -> i64 {
        self.weight
    }

    pub(super) fn tag(&self) -> &Tag {
        &self.tag
    }

    pub(crate) fn verdict(&self) -> &Verdict {
        &self.state.verdict
    }

    /// Begins its slow start: it was out, or it is new.
    pub(crate) fn rise(&self, now: Instant) {
        let now = self.state.millis(now);
        self.state
            .rising
            .store(now.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn state(&self) -> Arc<PeerState> {
        Arc::clone(&self.state)
    }

    /// Takes the outcome of a try. In a group of one (`single`) failures are not held against the peer.
    pub(super) fn record(&self, outcome: Outcome, now: Instant, single: bool) {
        let state = &self.state;
        match outcome {
            Outcome::Failure if single => {}
            Outcome::Failure => self.record_failure(now),
            Outcome::Success => {
                // Only a success of a window that began after the last failure clears the count.
                let fails = state.fails.load(Ordering::Relaxed);
                if fails > 0 && (single || state.failed_before_window()) {
                    state.fails.store(0, Ordering::Relaxed);
                    if self.max_fails > 0 && fails >= self.max_fails {
                        self.rise(now);
                        tracing::info!(upstream = %self.upstream, peer = %self.address, "peer answers again");
                    }
                }
            }
        }
    }

    /// nginx lowers the effective weight by weight/max_fails per failure; 0 is the floor.
    pub(super) fn effective_weight(&self) -> i64 {
        (self.weight - self.state.penalty.load(Ordering::Relaxed)).max(0)
    }

    /// Its part of the requests in units of [`SHARE_UNIT`]: the effective weight, less of it during a slow start.
    pub(super) fn share(&self, now: Instant) -> i64 {
        self.effective_weight() * self.risen(now)
    }

    /// The share without what failures have taken from it.
    pub(super) fn full_share(&self, now: Instant) -> i64 {
        self.weight * self.risen(now)
    }

    /// The share of a peer that is being considered.
    pub(super) fn take_share(&self, now: Instant) -> i64 {
        let share = self.share(now);
        self.recover_weight();
        share
    }

    /// How far its slow start is, linear in time and never nothing.
    fn risen(&self, now: Instant) -> i64 {
        if self.slow_start.is_zero() {
            return SHARE_UNIT;
        }
        let began = self.state.rising.load(Ordering::Relaxed);
        if began == 0 {
            return SHARE_UNIT;
        }
        let passed = u128::from(self.state.millis(now).saturating_sub(began - 1));
        let whole = self.slow_start.as_millis();
        if passed >= whole {
            self.state.rising.store(0, Ordering::Relaxed);
            return SHARE_UNIT;
        }
        // Less than `SHARE_UNIT`, so it fits.
        let share = (passed * SHARE_UNIT as u128 / whole) as i64;
        share.max(FIRST_SHARE)
    }

    /// Each time a peer is considered its weight recovers by one.
    fn recover_weight(&self) {
        let penalty = self.state.penalty.load(Ordering::Relaxed);
        if penalty > 0 {
            let next = penalty.min(self.weight) - 1;
            self.state.penalty.store(next, Ordering::Relaxed);
        }
    }

    /// Begins a new window of failures when the last one is over.
    pub(super) fn begin_window(&self, now: Instant) {
        let (now, state) = (self.state.millis(now), &self.state);
        if now.saturating_sub(state.checked.load(Ordering::Relaxed)) > self.timeout_millis() {
            state.checked.store(now, Ordering::Relaxed);
        }
    }

    fn record_failure(&self, now: Instant) {
        let (now, state) = (self.state.millis(now), &self.state);
        state.accessed.store(now, Ordering::Relaxed);
        state.checked.store(now, Ordering::Relaxed);
        let fails = state.fails.fetch_add(1, Ordering::Relaxed) + 1;
        if self.max_fails == 0 {
            return;
        }
        let lower = self.weight / i64::from(self.max_fails);
        let penalty = state.penalty.load(Ordering::Relaxed) + lower;
        state
            .penalty
            .store(penalty.min(self.weight), Ordering::Relaxed);
        if fails == self.max_fails {
            tracing::warn!(
                upstream = %self.upstream,
                peer = %self.address,
                "peer failed {fails} times and is not used for {:?}",
                self.fail_timeout
            );
        }
    }

    fn is_out(&self, now: Instant) -> bool {
        let state = &self.state;
        self.max_fails > 0
            && state.fails.load(Ordering::Relaxed) >= self.max_fails
            && state
                .millis(now)
                .saturating_sub(state.checked.load(Ordering::Relaxed))
                <= self.timeout_millis()
    }

    fn timeout_millis(&self) -> u64 {
        self.fail_timeout.as_millis().try_into().unwrap_or(u64::MAX)
    }
}

impl PeerRef {
    /// Counts a try until the guard is dropped; `None` if there are `max_conns` already.
    pub(super) fn try_enter(&self) -> Option<Active> {
        let before = self.state.active.fetch_add(1, Ordering::Relaxed);
        let active = Active(self.clone());
        (before < self.max_conns).then_some(active)
    }
}

impl Active {
    /// The peer, without the count.
    pub fn peer(&self) -> &PeerRef {
        &self.0
    }
}

impl Deref for Active {
    type Target = PeerRef;

    fn deref(&self) -> &PeerRef {
        &self.0
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.state.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl PeerState {
    fn millis(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        since.as_millis().try_into().unwrap_or(u64::MAX)
    }

    fn failed_before_window(&self) -> bool {
        self.accessed.load(Ordering::Relaxed) < self.checked.load(Ordering::Relaxed)
    }
}

impl Default for PeerState {
    fn default() -> Self {
        PeerState {
            epoch: Instant::now(),
            active: AtomicUsize::new(0),
            fails: AtomicU32::new(0),
            accessed: AtomicU64::new(0),
            checked: AtomicU64::new(0),
            penalty: AtomicI64::new(0),
            rising: AtomicU64::new(0),
            verdict: Verdict::default(),
        }
    }
}

/// Numbers are never used twice, so that a pool cannot mistake one peer for another.
pub(super) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
