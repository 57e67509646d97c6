//! One `[limit.NAME]` as it runs: all that it counts of one key.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::LimitKey;

use super::bandwidth::Bandwidth;
use super::clock::Clock;
use super::connections::{Connections, Held};
use super::key::{Key, Keys, Seeds};
use super::notice::{Event, Notice};
use super::period::Period;
use super::permit::Permit;
use super::rate::{self, Rate};
use super::table::{Place, State, Table};

/// The wait told to who finds too many at once: nobody knows when one of them ends.
const SOON: Duration = Duration::from_secs(1);

/// A limit of the configuration, with its counts.
pub struct Limiter {
    name: Arc<str>,
    key: LimitKey,
    entries: u32,
    status: u16,
    retry_after: Option<Duration>,
    pub(super) dry_run: bool,
    seeds: Seeds,
    clock: Clock,
    rate: Option<Rate>,
    period: Option<Period>,
    connections: Option<Connections>,
    bandwidth: Option<Bandwidth>,
    notice: Notice,
}

/// What one request was charged, to be taken back if another limit refuses it.
#[derive(Default)]
pub(super) struct Charge {
    rate: Option<rate::Charge>,
    period: Option<Place>,
    held: Option<Held>,
    pub(super) wait: Duration,
}

impl Limiter {
    /// Builds a limit, with the counts of `previous` where it counted the same by the same key.
    pub(super) fn new(name: &str, written: &alb_conf::Limit, previous: Option<&Limiter>) -> Self {
        let previous = previous.filter(|p| p.key == *written.key && p.entries == written.entries);
        let entries = written.entries as usize;
        let adopt = |of: fn(&Limiter) -> Option<&Rate>| previous.and_then(of);
        let rate = adopt(|p| p.rate.as_ref()).map(Rate::table);
        let period = previous.and_then(|p| p.period.as_ref()).map(Period::table);
        let connections = previous.and_then(|p| p.connections.as_ref());
        let connections = connections.map(Connections::table);
        let bandwidth = previous.and_then(|p| p.bandwidth.as_ref());
        let bandwidth = bandwidth.map(Bandwidth::table);
        let per_key = written.bandwidth_per_key.is_some();
        Limiter {
            name: name.into(),
            key: (*written.key).clone(),
            entries: written.entries,
            status: written.status,
            retry_after: written.retry_after.map(|time| *time),
            dry_run: written.dry_run,
            seeds: previous.map(|p| p.seeds.clone()).unwrap_or_default(),
            clock: previous.map_or_else(Clock::new, |p| p.clock),
            rate: Rate::new(written, table(rate, entries, written.rate.is_some())),
            period: Period::new(written, table(period, entries, written.requests.is_some())),
            connections: Connections::new(
                written,
                table(connections, entries, written.connections.is_some()),
            ),
            bandwidth: Bandwidth::new(written, table(bandwidth, entries, per_key)),
            notice: Notice::default(),
        }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The status of an answer to what it refuses.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Decisions for keys that found no place of their own and were counted with their network.
    pub fn pressed(&self) -> u64 {
        let of = |pressed: Option<u64>| pressed.unwrap_or_default();
        of(self.rate.as_ref().map(|rate| rate.table().pressed()))
            + of(self.period.as_ref().map(|period| period.table().pressed()))
            + of(self.connections.as_ref().map(|c| c.table().pressed()))
            + of(self.bandwidth.as_ref().map(|b| b.table().pressed()))
    }

    /// What its key is made of.
    pub(super) fn sources(&self) -> &[alb_conf::KeySource] {
        self.key.sources()
    }

    /// The key of a request; `None` if the limit does not apply to it.
    pub(super) fn key(&self, keys: &dyn Keys) -> Option<Key> {
        self.seeds.key(self.key.sources(), keys)
    }

    /// Counts a request, or says when to come again; then nothing has been counted.
    pub(super) fn charge(&self, key: &Key, now: Instant) -> Result<Charge, Duration> {
        let mut charge = Charge::default();
        match self.charge_each(key, self.clock.millis(now), &mut charge) {
            Ok(()) => Ok(charge),
            Err(again) => {
                self.undo(key, charge);
                Err(self.retry_after.unwrap_or(again))
            }
        }
    }

    fn charge_each(&self, key: &Key, now: u64, charge: &mut Charge) -> Result<(), Duration> {
        if let Some(rate) = &self.rate {
            let (charged, wait) = rate.charge(key, now)?;
            charge.rate = Some(charged);
            charge.wait = wait;
        }
        if let Some(period) = &self.period {
            charge.period = Some(period.charge(key, now)?);
        }
        if let Some(connections) = &self.connections {
            charge.held = Some(connections.enter(key).ok_or(SOON)?);
        }
        Ok(())
    }

    /// Takes back what was charged.
    pub(super) fn undo(&self, key: &Key, charge: Charge) {
        if let (Some(rate), Some(charge)) = (&self.rate, &charge.rate) {
            rate.undo(key, charge);
        }
        if let (Some(period), Some(place)) = (&self.period, charge.period) {
            period.undo(key, place);
        }
    }

    /// Turns a charge that stands into what the request carries.
    pub(super) fn grant(&self, key: &Key, charge: Charge, permit: &mut Permit) {
        permit.held.extend(charge.held);
        self.pace(key, permit);
    }

    /// Adds the bandwidths.
    pub(super) fn pace(&self, key: &Key, permit: &mut Permit) {
        if let Some(bandwidth) = &self.bandwidth {
            permit.paces.extend(bandwidth.paces(key, self.clock));
        }
    }

    pub(super) fn has_bandwidth(&self) -> bool {
        self.bandwidth.is_some()
    }

    /// Tells the log, now and then.
    pub(super) fn note(&self, event: Event, client: IpAddr, now: Instant) {
        self.notice
            .note(&self.name, event, client, self.clock.millis(now));
    }
}

/// The table of before, or a new one; a tiny one where nothing will be counted.
fn table<S: State>(adopted: Option<&Arc<Table<S>>>, entries: usize, counts: bool) -> Arc<Table<S>> {
    match adopted {
        Some(table) => Arc::clone(table),
        None => Arc::new(Table::new(if counts { entries } else { 1 })),
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("name", &self.name).finish()
    }
}
