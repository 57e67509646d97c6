//! Whether a session may begin, and how fast it may be: the limits of its listener.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use alb_core::ConnInfo;
use alb_core::limit::{Decision, KeySource, Keys, LimitSet, Permit, Refusal};
use alb_core::stats::WorkerStats;

/// A session, as limits ask about it.
pub(crate) struct Asked<'a> {
    pub info: &'a ConnInfo,
    pub sni: Option<&'a str>,
}

impl Keys for Asked<'_> {
    fn client_ip(&self) -> IpAddr {
        self.info.peer.ip()
    }

    fn value(&self, source: &KeySource) -> Option<Cow<'_, [u8]>> {
        let tls = self.info.tls.as_deref();
        match source {
            KeySource::Server => {
                let name = self.sni.or(tls?.sni.as_deref())?;
                Some(Cow::Borrowed(name.as_bytes()))
            }
            KeySource::Certificate => {
                let subject = tls?.peer.verified()?.sign.subject();
                Some(Cow::Owned(subject.into_bytes()))
            }
            _ => None,
        }
    }
}

/// The leave to begin, at once or after a wait.
pub(crate) fn ask(
    limits: &LimitSet,
    session: &Asked<'_>,
    stats: &WorkerStats,
) -> Result<(Duration, Permit), Refusal> {
    judge(limits.admit(Instant::now(), session), stats)
}

/// The leave to begin at once; what would have to wait is refused.
pub(crate) fn ask_at_once(
    limits: &LimitSet,
    session: &Asked<'_>,
    stats: &WorkerStats,
) -> Result<Permit, Refusal> {
    let decision = limits.admit_at_once(Instant::now(), session);
    judge(decision, stats).map(|(_, permit)| permit)
}

fn judge(decision: Decision, stats: &WorkerStats) -> Result<(Duration, Permit), Refusal> {
    let (wait, permit) = match decision {
        Decision::Pass(permit) => (Duration::ZERO, permit),
        Decision::Delay(wait, permit) => {
            stats.limit_delayed.increment();
            (wait, permit)
        }
        Decision::Refuse(refusal) => {
            stats.limit_refused.increment();
            return Err(refusal);
        }
    };
    if permit.is_excused() {
        stats.limit_excused.increment();
    }
    Ok((wait, permit))
}
