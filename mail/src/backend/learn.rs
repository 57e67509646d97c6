//! Asking every server of a pool what it can do, so that clients are promised only what all of them keep.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::upstream::PeerRef;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::{goodbye, open};
use crate::capabilities::Offers;
use crate::service::{Pool, Service};

/// How long one server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What all servers of the pool can do. The first client waits for them to be asked; later ones are told what is known
/// while it is renewed.
pub async fn offers(service: &Arc<Service>, pool: &Arc<Pool>) -> Offers {
    let written = &service.settings.capabilities;
    if !written.is_empty() {
        return Offers::read(written.iter().map(|line| line.as_bytes()));
    }
    let due = pool.learned.is_due(Instant::now());
    let known = pool.learned.offers();
    match (due, known) {
        (false, known) => known.unwrap_or_default(),
        (true, None) => {
            ask_all(service, pool).await;
            pool.learned.offers().unwrap_or_default()
        }
        (true, Some(known)) => {
            let (service, pool) = (Arc::clone(service), Arc::clone(pool));
            spawn_local(async move { ask_all(&service, &pool).await });
            known
        }
    }
}

/// What all servers of several pools can do, as far as it is known.
pub async fn offers_of<'p>(
    service: &Arc<Service>,
    pools: impl Iterator<Item = &'p Arc<Pool>>,
) -> Offers {
    let mut common: Option<Offers> = None;
    for pool in pools {
        let its = offers(service, pool).await;
        let known = !service.settings.capabilities.is_empty() || pool.learned.offers().is_some();
        common = match common {
            // Mail for servers that cannot be asked is put off; that for others is not the worse for it.
            common if !known => common,
            None => Some(its),
            Some(common) => Some(common.common(&its)),
        };
    }
    common.unwrap_or_default()
}

async fn ask_all(service: &Service, pool: &Pool) {
    let mut common: Option<Offers> = None;
    for peer in pool.upstream.peers().iter() {
        let peer = PeerRef::new(Arc::clone(peer));
        if !peer.is_available(Instant::now()) {
            continue;
        }
        let Ok(Ok(mut opened)) = timeout(PATIENCE, open(service, pool, &peer, None)).await else {
            continue;
        };
        // Politeness only; it is closed in any case.
        let _ = opened.wire.send(goodbye(service.protocol)).await;
        common = Some(match common {
            None => opened.offers,
            Some(before) => before.common(&opened.offers),
        });
    }
    pool.learned.set(common);
}
