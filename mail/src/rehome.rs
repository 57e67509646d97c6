//! Sessions that are not at the server they belong to, because it was out when they began: once it is back they end one
//! after the other, so that their clients come back to it (`mail.rehome`). Others cost nothing.

use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::upstream::{Active, PeerAddress, Upstream};
use tokio::time::sleep;

use crate::backend::{Visit, client_ip};
use crate::service::Pool;
use crate::worker::Worker;

/// How often it is looked whether a server is back.
const LOOK: Duration = Duration::from_secs(1);

/// A session that is not where it belongs.
pub struct Away {
    upstream: Arc<Upstream>,
    client_ip: IpAddr,
    user: Box<str>,
    at: PeerAddress,
    within: Duration,
}

/// Tells a session when to end; nothing ever does where it is at its own server.
pub struct Leave {
    waiting: Option<Pin<Box<dyn Future<Output = ()>>>>,
    over: bool,
}

impl Away {
    /// Whether this session is at another server than its own because that one is not well.
    pub fn from_home(
        visit: &Visit<'_>,
        pool: &Pool,
        at: &Active,
        worker: &Worker,
    ) -> Option<Box<Self>> {
        let within = *pool.plan.rehome;
        // Where whoever decides has named a server, the user belongs there.
        if within.is_zero() || visit.server.is_some() || visit.verified.is_empty() {
            return None;
        }
        let away = Away {
            upstream: Arc::clone(&pool.upstream),
            client_ip: client_ip(visit.info),
            user: visit.verified.into(),
            at: at.address().clone(),
            within,
        };
        let home = worker.home(away.upstream.name(), away.client_ip, &away.user)?;
        let moved = *home.address() != away.at && !home.is_well(Instant::now());
        moved.then(|| Box::new(away))
    }

    /// Whether its own server, as the configuration in force has it, is another one and takes it.
    fn may_go_home(&self, worker: &Worker) -> bool {
        let home = worker.home(self.upstream.name(), self.client_ip, &self.user);
        let now = Instant::now();
        home.is_some_and(|home| {
            *home.address() != self.at && home.is_well(now) && home.is_available(now)
        })
    }

    async fn until_it_is_time(self: Box<Self>, id: u64, worker: Rc<Worker>) {
        loop {
            while !self.may_go_home(&worker) {
                sleep(LOOK).await;
            }
            sleep(self.within.mul_f64(place(id))).await;
            // It may have gone out again meanwhile.
            if self.may_go_home(&worker) {
                return;
            }
        }
    }
}

impl Leave {
    /// For the session with this number.
    pub fn new(away: Option<Box<Away>>, id: u64, worker: &Rc<Worker>) -> Self {
        let waiting = away.map(|away| {
            let waiting: Pin<Box<dyn Future<Output = ()>>> =
                Box::pin(away.until_it_is_time(id, Rc::clone(worker)));
            waiting
        });
        Leave {
            waiting,
            over: false,
        }
    }

    /// Whether the session is to end.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Resolves, once, when the session is to end.
    pub async fn over(&mut self) {
        match &mut self.waiting {
            Some(waiting) => waiting.await,
            None => std::future::pending().await,
        }
        self.waiting = None;
        self.over = true;
    }
}

/// The place of a session among others, from 0 to 1: neighbouring numbers are far apart.
pub fn place(id: u64) -> f64 {
    (id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48) as f64 / 65_536.0
}
