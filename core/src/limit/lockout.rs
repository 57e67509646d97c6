//! Rejected logins: who fails too often is locked out for a while, whose account is guessed at is served slowly, and
//! each failure makes its session wait longer. One list for all services; time is passed in, and nothing here waits.
//!
//! Memory is bounded as that of limits is: see `table`. Of a password nothing is kept but 32 bits of a keyed hash of the
//! last one rejected, so that a device that keeps sending an old one counts once.

mod turns;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::key::{Key, Seeds};
use super::table::{State, Table};
use crate::access::AddressSet;

pub use turns::{Deciding, Turn};

/// An IPv6 client has a whole network of this many bits.
const NETWORK_V6: u8 = 64;
/// The waits of a session's failures: once, twice, four and then eight times the first.
const LONGEST_SHIFT: u32 = 3;
/// Of so many clients that are remembered, one has logins under way.
const TURNS: usize = 8;

/// What is allowed.
#[derive(Debug)]
pub struct Policy {
    /// Rejected logins of an address (IPv6: of its /64) in `window` that lock it out; 0 never does.
    pub per_client: u32,
    /// Rejected logins of an account in `window` from which on it is served slowly; 0 never is. It is not locked: that
    /// would let anybody lock out anybody.
    pub per_user: u32,
    /// In which they are counted; it begins with the first.
    pub window: Duration,
    /// How long a client is locked out.
    pub lockout: Duration,
    /// How long the first failure of a session keeps it waiting; the next ones 2, 4 and 8 times as long.
    pub delay: Duration,
    /// Sessions that may wait for their failures at once; those above are closed instead.
    pub waiting: usize,
    /// Clients, and accounts, remembered at once.
    pub entries: usize,
    /// Clients that are never locked out.
    pub exempt: Option<AddressSet>,
}

/// The lockout list, shared by all workers and services.
pub struct Lockout {
    policy: Policy,
    seeds: Seeds,
    clock: Clock,
    clients: Arc<Table<Failures>>,
    users: Arc<Table<Failures>>,
    /// Logins being decided, by client.
    turns: Arc<Table<u32>>,
    waiting: Arc<AtomicUsize>,
}

/// A login that was rejected: the credentials were wrong. Whatever else kept a login from succeeding is none.
#[derive(Clone, Copy)]
pub struct Rejected<'a> {
    /// From where.
    pub client: IpAddr,
    /// The account, in the form in which it is compared.
    pub user: &'a [u8],
    /// The password, token or response that was wrong.
    pub secret: &'a [u8],
}

/// What a rejected login leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// It was the same as the last one of this client and was not counted again.
    pub repeated: bool,
    /// The client is locked out for this long: close.
    pub locked: Option<Duration>,
}

/// A session that waits for its failures, counted while it does.
#[derive(Debug)]
pub struct Waiting(Arc<AtomicUsize>);

/// What is known of a client or an account. The default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Failures {
    /// When the window, or the lockout, began, in milliseconds; 0 is long ago.
    start: u64,
    /// [`LOCKED`]: the client is locked out.
    count: u32,
    /// Of the last credentials rejected.
    mark: u32,
}

const LOCKED: u32 = u32::MAX;

impl Default for Policy {
    fn default() -> Self {
        Policy {
            per_client: 20,
            per_user: 10,
            window: Duration::from_secs(600),
            lockout: Duration::from_secs(900),
            delay: Duration::from_secs(1),
            waiting: 2000,
            entries: 65_536,
            exempt: None,
        }
    }
}

impl Policy {
    /// The policy as written.
    pub fn new(written: &alb_conf::Lockout) -> Self {
        let exempt = &written.exempt;
        let exempt =
            (!exempt.is_empty()).then(|| AddressSet::of(exempt.iter().map(|prefix| &**prefix)));
        Policy {
            per_client: written.per_client,
            per_user: written.per_user,
            window: *written.window,
            lockout: *written.time,
            delay: *written.delay,
            waiting: written.waiting as usize,
            entries: written.entries as usize,
            exempt,
        }
    }
}

impl Lockout {
    /// An empty list.
    pub fn new(policy: Policy) -> Self {
        Lockout {
            clients: Arc::new(Table::new(policy.entries)),
            users: Arc::new(Table::new(policy.entries)),
            turns: Arc::new(Table::new(policy.entries.div_ceil(TURNS))),
            seeds: Seeds::default(),
            clock: Clock::new(),
            waiting: Arc::default(),
            policy,
        }
    }

    /// A list with another policy that shares what `previous` knows and counts; an empty one where the number of entries
    /// differs.
    pub fn adopting(policy: Policy, previous: Option<&Self>) -> Self {
        match previous.filter(|previous| previous.policy.entries == policy.entries) {
            None => Self::new(policy),
            Some(previous) => Lockout {
                clients: Arc::clone(&previous.clients),
                users: Arc::clone(&previous.users),
                turns: Arc::clone(&previous.turns),
                seeds: previous.seeds.clone(),
                clock: previous.clock,
                waiting: Arc::clone(&previous.waiting),
                policy,
            },
        }
    }

    /// How much longer this client is locked out; asked before anything else.
    pub fn locked(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        if self.is_exempt(client) {
            return None;
        }
        let state = self.clients.read(&self.client(client));
        self.remaining(&state, self.clock.millis(now))
    }

    /// Whether logins of this account are to be slow, right ones too: nobody can tell them from guesses.
    pub fn is_slow(&self, user: &[u8], client: IpAddr, now: Instant) -> bool {
        let state = self.users.read(&self.seeds.of_text(user, client));
        let live = self.is_live(&state, self.clock.millis(now));
        self.policy.per_user > 0 && live && state.count >= self.policy.per_user
    }

    /// Counts a rejected login.
    pub fn failed(&self, rejected: &Rejected<'_>, now: Instant) -> Verdict {
        let now = self.clock.millis(now);
        let mark = self.seeds.mark([rejected.user, rejected.secret]);
        let user = self.seeds.of_text(rejected.user, rejected.client);
        self.change(&self.users, &user, now, |state| state.count_up(mark, 0));
        if self.is_exempt(rejected.client) {
            return Verdict {
                repeated: false,
                locked: None,
            };
        }
        let client = self.client(rejected.client);
        self.change(&self.clients, &client, now, |state| {
            let repeated = !state.count_up(mark, self.policy.per_client);
            if state.count == LOCKED && !repeated {
                state.start = now;
            }
            Verdict {
                repeated,
                locked: self.remaining(state, now),
            }
        })
    }

    /// A login that succeeded: its account was not being guessed at. What its client has failed at still counts, or
    /// whoever has one account could guess at all others.
    pub fn succeeded(&self, user: &[u8], client: IpAddr, now: Instant) {
        let key = self.seeds.of_text(user, client);
        if self.users.read(&key) != Failures::default() {
            let now = self.clock.millis(now);
            self.change(&self.users, &key, now, |state| *state = Failures::default());
        }
    }

    /// Locks a client out by decree, from now on.
    pub fn lock(&self, client: IpAddr, now: Instant) {
        let now = self.clock.millis(now);
        self.change(&self.clients, &self.client(client), now, |state| {
            *state = Failures {
                start: now,
                count: LOCKED,
                mark: 0,
            };
        });
    }

    /// Forgets what a client has failed at.
    pub fn unlock(&self, client: IpAddr, now: Instant) {
        let now = self.clock.millis(now);
        self.change(&self.clients, &self.client(client), now, |state| {
            *state = Failures::default();
        });
    }

    /// How long a session waits after so many failures of its own (from 1), with the guard that counts it meanwhile.
    /// `None`: too many wait already, and the session is to be closed.
    pub fn wait(&self, failures: u32) -> Option<(Duration, Waiting)> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let guard = Waiting(Arc::clone(&self.waiting));
        let shift = failures.saturating_sub(1).min(LONGEST_SHIFT);
        (before < self.policy.waiting).then(|| (self.policy.delay * (1 << shift), guard))
    }

    /// Sessions that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Decisions for clients and accounts that found no place of their own and were counted with their network.
    pub fn pressed(&self) -> u64 {
        self.clients.pressed() + self.users.pressed()
    }

    fn is_exempt(&self, client: IpAddr) -> bool {
        let exempt = self.policy.exempt.as_ref();
        exempt.is_some_and(|set| set.contains(client.to_canonical()))
    }

    fn client(&self, client: IpAddr) -> Key {
        self.seeds.of_client(client, 32, NETWORK_V6)
    }

    /// Gives what is still known of a key at `now` to `change`.
    fn change<R>(
        &self,
        table: &Table<Failures>,
        key: &Key,
        now: u64,
        change: impl FnOnce(&mut Failures) -> R,
    ) -> R
    where
        Failures: State,
    {
        let is_live = |state: &Failures| self.is_live(state, now);
        let (_, result) = table.with(key, is_live, |state| {
            if !self.is_live(state, now) {
                *state = Failures {
                    start: now,
                    ..Failures::default()
                };
            }
            change(state)
        });
        result
    }

    fn is_live(&self, state: &Failures, now: u64) -> bool {
        state.count > 0 && now < state.start.saturating_add(self.lasts(state))
    }

    fn lasts(&self, state: &Failures) -> u64 {
        let time = match state.count {
            LOCKED => self.policy.lockout,
            _ => self.policy.window,
        };
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
    }

    fn remaining(&self, state: &Failures, now: u64) -> Option<Duration> {
        let until = state.start.saturating_add(self.lasts(state));
        (state.count == LOCKED && now < until).then(|| Duration::from_millis(until - now))
    }
}

impl Failures {
    /// Counts a failure and locks when there are `most` (0: never). False if it is the last one again.
    fn count_up(&mut self, mark: u32, most: u32) -> bool {
        if self.count == LOCKED || (self.count > 0 && self.mark == mark) {
            return false;
        }
        self.mark = mark;
        self.count = (self.count + 1).min(LOCKED - 1);
        if most > 0 && self.count >= most {
            self.count = LOCKED;
        }
        true
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
