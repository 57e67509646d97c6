//! The limits of a listener, a site or a route, taken together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::KeySource;

use super::key::{Key, Keys};
use super::limiter::{Charge, Limiter};
use super::notice::Event;
use super::permit::Permit;

/// Several limits, in the order in which they are asked. Copies are cheap.
#[derive(Clone, Debug, Default)]
pub struct LimitSet(Arc<[Arc<Limiter>]>);

/// What becomes of a request, a connection or a session.
#[derive(Debug)]
pub enum Decision {
    /// It goes on.
    Pass(Permit),
    /// It goes on after a while.
    Delay(Duration, Permit),
    /// It does not.
    Refuse(Refusal),
}

/// Why something was refused, and what to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit that is exceeded.
    pub limit: Arc<str>,
    /// When to come again; zero: do not say.
    pub retry_after: Duration,
    /// The status for HTTP.
    pub status: u16,
}

/// What the limits asked so far have said.
#[derive(Default)]
struct Tally {
    /// Nothing may wait.
    at_once: bool,
    wait: Duration,
    permit: Permit,
}

impl LimitSet {
    /// A set of these limits; one that is there twice counts once.
    pub fn new(limiters: impl IntoIterator<Item = Arc<Limiter>>) -> Self {
        let mut each: Vec<Arc<Limiter>> = Vec::new();
        for limiter in limiters {
            if !each.iter().any(|other| Arc::ptr_eq(other, &limiter)) {
                each.push(limiter);
            }
        }
        LimitSet(each.into())
    }

    /// No limits: asking is of no use.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The limits.
    pub fn limiters(&self) -> &[Arc<Limiter>] {
        &self.0
    }

    /// Asks every limit. All of them let it pass, after the longest wait, or one refuses and nothing has been counted.
    pub fn admit(&self, now: Instant, keys: &dyn Keys) -> Decision {
        self.decide(now, keys, Tally::default())
    }

    /// As [`admit`](Self::admit), for what cannot wait: it is refused where it would have to, and has not been counted.
    pub fn admit_at_once(&self, now: Instant, keys: &dyn Keys) -> Decision {
        let tally = Tally {
            at_once: true,
            ..Tally::default()
        };
        self.decide(now, keys, tally)
    }

    fn decide(&self, now: Instant, keys: &dyn Keys, mut tally: Tally) -> Decision {
        if self.is_empty() {
            return Decision::Pass(Permit::default());
        }
        match admit(&self.0, now, keys, &mut tally) {
            Err(refusal) => Decision::Refuse(refusal),
            Ok(()) if tally.wait.is_zero() => Decision::Pass(tally.permit),
            Ok(()) => Decision::Delay(tally.wait, tally.permit),
        }
    }

    /// The bandwidths alone, with nothing counted.
    pub fn pace(&self, keys: &dyn Keys) -> Permit {
        let mut permit = Permit::default();
        for limiter in self.0.iter().filter(|limiter| limiter.has_bandwidth()) {
            if let Some(key) = limiter.key(keys) {
                limiter.pace(&key, &mut permit);
            }
        }
        permit
    }

    /// Those that have a bandwidth.
    pub fn with_bandwidth(&self) -> Self {
        let limiters = self.0.iter().filter(|limiter| limiter.has_bandwidth());
        LimitSet(limiters.cloned().collect())
    }

    /// Both sets.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        LimitSet::new(self.0.iter().chain(&*other.0).cloned())
    }

    /// Parts the set by what its keys need: those that need `source`, such as the user, and the others. A mail session
    /// asks the others when it begins and the first when the user is known.
    pub fn split(&self, source: &KeySource) -> (Self, Self) {
        let (with, without): (Vec<_>, Vec<_>) = self
            .0
            .iter()
            .cloned()
            .partition(|limiter| limiter.sources().contains(source));
        (LimitSet(with.into()), LimitSet(without.into()))
    }
}

/// Charges the first limit, asks the rest, and takes the charge back if one of them refuses.
fn admit(
    limiters: &[Arc<Limiter>],
    now: Instant,
    keys: &dyn Keys,
    tally: &mut Tally,
) -> Result<(), Refusal> {
    let Some((limiter, rest)) = limiters.split_first() else {
        return Ok(());
    };
    let Some(key) = limiter.key(keys) else {
        return admit(rest, now, keys, tally);
    };
    let charge = match charge(limiter, &key, now, tally.at_once) {
        Ok(charge) => charge,
        Err(_) if limiter.dry_run => {
            limiter.note(Event::Excused, keys.client_ip(), now);
            tally.permit.excused = true;
            return admit(rest, now, keys, tally);
        }
        Err(retry_after) => {
            limiter.note(Event::Refused, keys.client_ip(), now);
            return Err(Refusal {
                limit: Arc::clone(limiter.name()),
                retry_after,
                status: limiter.status(),
            });
        }
    };
    if let Err(refusal) = admit(rest, now, keys, tally) {
        limiter.undo(&key, charge);
        return Err(refusal);
    }
    if limiter.dry_run {
        tally.permit.excused |= !charge.wait.is_zero();
    } else {
        tally.wait = tally.wait.max(charge.wait);
    }
    limiter.grant(&key, charge, &mut tally.permit);
    Ok(())
}

/// Charges one limit; what would have to wait and cannot is taken back, and comes too early.
fn charge(limiter: &Limiter, key: &Key, now: Instant, at_once: bool) -> Result<Charge, Duration> {
    let charge = limiter.charge(key, now)?;
    if !at_once || charge.wait.is_zero() {
        return Ok(charge);
    }
    let wait = charge.wait;
    limiter.undo(key, charge);
    Err(wait)
}

#[cfg(test)]
mod tests;
