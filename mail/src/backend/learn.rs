//! Asking every server what it can do, so that clients are promised only what all of them keep. Where active checks do
//! that, their findings are used.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::upstream::{Peer, PeerAddress, PeerRef};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::timeout;

use super::{goodbye, open};
use crate::capabilities::Offers;
use crate::health::VOIDS;
use crate::learned::Due;
use crate::service::{Pool, Service};

/// How long all servers together may take: so long may the first client wait for its greeting.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all servers of the listener can do; those that cannot be reached are left out. The first client waits for them to
/// be asked; later ones are told what is known while it is renewed.
pub async fn offers(service: &Arc<Service>) -> Offers {
    let written = &service.settings.capabilities;
    if !written.is_empty() {
        return Offers::read(written.iter().map(|line| line.as_bytes()));
    }
    let now = Instant::now();
    let (mut due, mut first) = (Vec::new(), false);
    for pool in &service.destinations {
        match pool.learned.due(now) {
            Due::No => continue,
            Due::First => first = true,
            Due::Again => {}
        }
        due.push(Arc::clone(pool));
    }
    let known = common(service, now);
    if due.is_empty() || (known.is_some() && !first) {
        if !due.is_empty() {
            spawn_local(ask_all(Arc::clone(service), due));
        }
        return known.unwrap_or_default();
    }
    ask_all(Arc::clone(service), due).await;
    common(service, Instant::now()).unwrap_or_default()
}

/// What is known to be common to all. A pool whose servers are all out makes no difference, unless there is no other.
fn common(service: &Service, now: Instant) -> Option<Offers> {
    let all = |only_up: bool| {
        let pools = service.destinations.iter();
        let pools = pools.filter(move |pool| !only_up || pool.is_up(now));
        let each = pools.filter_map(|pool| pool.learned.offers());
        each.reduce(|one, other| one.common(&other))
    };
    let several = service.destinations.len() > 1;
    several.then(|| all(true)).flatten().or_else(|| all(false))
}

/// Asks the servers of these pools, all at once.
async fn ask_all(service: Arc<Service>, pools: Vec<Arc<Pool>>) {
    let now = Instant::now();
    let mut asking = JoinSet::new();
    for pool in &pools {
        let peers = pool.upstream.peers();
        for peer in peers.iter().filter(|peer| peer.is_available(now)) {
            let one = ask(Arc::clone(&service), Arc::clone(pool), Arc::clone(peer));
            asking.spawn_local(timeout(PATIENCE, one));
        }
    }
    let mut heard: Vec<(Arc<Pool>, PeerAddress, Offers)> = Vec::new();
    while let Some(result) = asking.join_next().await {
        if let Ok(Ok(Some(answer))) = result {
            heard.push(answer);
        }
    }
    for pool in pools {
        let of_pool = |(from, address, offers): &(Arc<Pool>, PeerAddress, Offers)| {
            Arc::ptr_eq(from, &pool).then(|| (address.clone(), offers.clone()))
        };
        let answers: Vec<_> = heard.iter().filter_map(of_pool).collect();
        for (address, offers) in &answers {
            let voids = offers.has(VOIDS);
            pool.learned.judge(&pool.upstream, address, voids);
        }
        pool.learned.take(&pool.upstream, answers);
    }
}

async fn ask(
    service: Arc<Service>,
    pool: Arc<Pool>,
    peer: Arc<Peer>,
) -> Option<(Arc<Pool>, PeerAddress, Offers)> {
    let address = peer.address().clone();
    let mut opened = open(&service, &pool, &PeerRef::new(peer), None)
        .await
        .ok()?;
    // Politeness only; it is closed in any case.
    let _ = opened.wire.send(goodbye(service.protocol)).await;
    Some((pool, address, opened.offers))
}
