//! The limits of a listener: asked once for each connection, by its addresses.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use alb_core::limit::{Decision, KeySource, Keys, LimitSet, Permit};
use alb_core::stats::WorkerStats;

/// Asks the limits about a connection of `client`, and waits if they say so. `None`: it is to be closed.
pub async fn admit(limits: &LimitSet, client: IpAddr, stats: &WorkerStats) -> Option<Permit> {
    if limits.is_empty() {
        return Some(Permit::default());
    }
    let (wait, permit) = match limits.admit(Instant::now(), &Arriving(client)) {
        Decision::Pass(permit) => (None, permit),
        Decision::Delay(wait, permit) => (Some(wait), permit),
        Decision::Refuse(_) => {
            stats.limit_refused.increment();
            return None;
        }
    };
    if permit.is_excused() {
        stats.limit_excused.increment();
    }
    if let Some(wait) = wait {
        stats.limit_delayed.increment();
        Box::pin(tokio::time::sleep(wait)).await;
    }
    Some(permit)
}

/// A client that has said nothing yet.
struct Arriving(IpAddr);

impl Keys for Arriving {
    fn client_ip(&self) -> IpAddr {
        self.0
    }

    fn value(&self, _: &KeySource) -> Option<Cow<'_, [u8]>> {
        None
    }
}
