//! Says, at the start, at a reload and once a day, which certificates and revocation lists have expired or soon will.
//!
//! Files are read on the supervisor's thread; no connection waits for it.

use std::time::Duration;

use alb_certs::time::Time;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::Supervisor;
use crate::expiry::{self, Line, SOON};

const DAY: Duration = Duration::from_secs(86_400);

/// Most lists are made for a week: fewer days than this mean that the next one did not come.
const LIST_SOON: i64 = 2;

/// Ticks once a day, for the first time in a day.
pub fn daily() -> Interval {
    let mut daily = interval_at(Instant::now() + DAY, DAY);
    daily.set_missed_tick_behavior(MissedTickBehavior::Delay);
    daily
}

/// How a certificate or list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It has ended.
    Expired,
    /// It ends within [`SOON`] days.
    Expiring {
        /// A list whose successor is not overdue yet: nothing to worry about.
        ordinary: bool,
    },
}

impl Supervisor {
    /// Logs what has expired or soon will, and counts it.
    pub(super) fn look_at_expiry(&self) {
        let lines = expiry::lines(&self.published.load().config, Time::now());
        let (mut expired, mut expiring) = (0, 0);
        for line in &lines {
            match standing(line) {
                Some(Standing::Expired) => expired += 1,
                Some(Standing::Expiring { .. }) => expiring += 1,
                None => continue,
            }
            tell(line);
        }
        self.stats.supervisor().expired.set(expired);
        self.stats.supervisor().expiring.set(expiring);
    }
}

fn standing(line: &Line) -> Option<Standing> {
    let days = line.days_left?;
    if days < 0 {
        return Some(Standing::Expired);
    }
    let ordinary = line.list && days >= LIST_SOON;
    (days < SOON).then_some(Standing::Expiring { ordinary })
}

fn tell(line: &Line) {
    let (what, used_by, until) = (&line.what, &line.used_by, &line.until);
    let file = line.file.display();
    let days = line.days_left.unwrap_or_default();
    let help = if line.list {
        "fetch the next list from the authority, then `alb reload`"
    } else {
        "renew it, then `alb reload`"
    };
    match standing(line) {
        Some(Standing::Expired) => {
            tracing::warn!(%file, used_by, until, help, "expired: {what}");
        }
        Some(Standing::Expiring { ordinary: false }) => {
            tracing::warn!(%file, used_by, until, help, "expires in {days} days: {what}");
        }
        Some(Standing::Expiring { ordinary: true }) => {
            tracing::info!(%file, used_by, until, help, "expires in {days} days: {what}");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(days_left: Option<i64>, list: bool) -> Option<Standing> {
        standing(&Line {
            days_left,
            until: String::new(),
            used_by: String::new(),
            what: String::new(),
            file: "a.pem".into(),
            list,
        })
    }

    #[test]
    fn certificates_are_pointed_out_thirty_days_before_they_end() {
        assert_eq!(of(Some(-1), false), Some(Standing::Expired));
        let soon = Some(Standing::Expiring { ordinary: false });
        assert_eq!((of(Some(0), false), of(Some(29), false)), (soon, soon));
        assert_eq!((of(Some(30), false), of(None, false)), (None, None));
    }

    #[test]
    fn a_list_worries_only_when_its_successor_is_late() {
        assert_eq!(of(Some(-1), true), Some(Standing::Expired));
        let expiring = |ordinary| Some(Standing::Expiring { ordinary });
        assert_eq!(of(Some(1), true), expiring(false));
        assert_eq!(of(Some(6), true), expiring(true));
    }
}
