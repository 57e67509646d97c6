//! Reaching a peer of an upstream: another one is tried when that is allowed, for nothing has been sent yet.

use std::sync::Arc;
use std::time::Instant;

use alb_conf::{Retry, RetryOn};
use alb_core::upstream::{self, Active, Affinity, Outcome, PeerRef, Tried, Upstream};
use alb_core::{ConnInfo, Error, Kind, Side, Stream};

use crate::Worker;
use crate::record::{Record, Try};

/// A connection to a peer, which counts as one of that peer's for as long as this lives.
pub(crate) struct Connected {
    pub stream: Stream,
    /// Counts it.
    pub _active: Active,
}

/// Connects to a peer of the upstream and says `opening` before its handshake; every try is noted in the record.
pub(crate) async fn connect(
    worker: &Worker,
    upstream: &Arc<Upstream>,
    client: &ConnInfo,
    opening: &[u8],
    record: &mut Record,
) -> Result<Connected, Error> {
    let settings = upstream.settings();
    let begun = Instant::now();
    let mut tried = Tried::default();
    let mut failure = Error::new(Kind::NoLivePeer, Side::Upstream);
    // No key but the address: a cookie or a header has no place in a stream.
    let affinity = Affinity {
        client_ip: client.peer.ip(),
        key: None,
        cookie: None,
    };
    let pick = |tried: &mut Tried| {
        worker.with_cursor(upstream, |c| c.pick_for(Instant::now(), &affinity, tried))
    };
    while let Some(active) = pick(&mut tried) {
        let peer = active.peer();
        worker.stats.upstream_connections.increment();
        let result = upstream::connect_as(peer, settings, opening).await;
        // One is the rule.
        record.tries.reserve_exact(1);
        record.tries.push(Try {
            peer: peer.clone(),
            failed: result.as_ref().err().map(|error| error.kind),
            took: begun.elapsed(),
        });
        report(worker, upstream, peer, result.is_ok());
        match result {
            Ok(stream) => {
                return Ok(Connected {
                    stream,
                    _active: active,
                });
            }
            Err(error) => failure = error,
        }
        let again = allows(&settings.retry, failure.kind)
            && tried.count() < settings.retry.tries as usize
            && begun.elapsed() < *settings.retry.within;
        if !again {
            break;
        }
        worker.stats.upstream_retries.increment();
    }
    worker.stats.upstream_failures.increment();
    Err(failure)
}

fn report(worker: &Worker, upstream: &Arc<Upstream>, peer: &PeerRef, reached: bool) {
    let outcome = match reached {
        true => Outcome::Success,
        false => Outcome::Failure,
    };
    worker.with_cursor(upstream, |c| c.report(peer, outcome, Instant::now()));
}

fn allows(retry: &Retry, failure: Kind) -> bool {
    retry.on.contains(&match failure {
        Kind::ConnectTimeout => RetryOn::Timeout,
        _ => RetryOn::Error,
    })
}
