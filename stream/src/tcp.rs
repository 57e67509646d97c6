//! One TCP session, from the end of the handshake to its line in the log.

use std::rc::Rc;
use std::sync::Arc;

use alb_core::limit::Permit;
use alb_core::relay::{Relay, Why};
use alb_core::{ConnInfo, Error, Side, Stream};
use tokio::time::sleep;

use crate::admission::{self, Asked};
use crate::connect::{self, Connected};
use crate::preread::{self, Hello};
use crate::record::Record;
use crate::{Service, Worker};

/// Carries a client's connection until it is over.
pub async fn serve(client: Stream, info: ConnInfo, service: Arc<Service>, worker: Rc<Worker>) {
    worker.stats.stream_sessions.increment();
    let mut record = Record::begin(&worker, &service, info.clone());
    let ends = service.ends();
    let prepared = Box::pin(prepare(client, info, service, worker, &mut record)).await;
    if let Some(mut session) = prepared {
        tokio::select! {
            () = session.carry(&mut record) => {}
            () = ends => record.ended = (Side::Gateway, "listener removed"),
        }
    }
}

/// A session whose peer is connected. It keeps neither the service nor the upstream of an old snapshot alive.
struct Session {
    client: Stream,
    peer: Connected,
    relay: Relay,
    _permit: Permit,
}

/// Everything before the first byte is carried; `None` if it does not come to that, which the record says.
async fn prepare(
    mut client: Stream,
    info: ConnInfo,
    service: Arc<Service>,
    worker: Rc<Worker>,
    record: &mut Record,
) -> Option<Box<Session>> {
    let hello = match service.routes_by_name() {
        false => Hello::default(),
        true => match preread::read(&mut client, service.hello_timeout).await {
            Ok(hello) => hello,
            Err(none) => {
                record.ended = (Side::Client, none.as_str());
                return None;
            }
        },
    };
    let permit = admit(&info, &service, &hello, record, &worker).await?;
    let sni = hello.sni.as_deref();
    let Some(upstream) = service.upstream(sni) else {
        record.ended = (Side::Gateway, "no upstream for this name");
        return None;
    };
    record.goes_to(upstream);
    let opening = upstream.settings().opening(&info, sni);
    let connected = connect::connect(&worker, upstream, &info, &opening, record).await;
    record.sni = hello.sni;
    let peer = match connected {
        Ok(connected) => connected,
        Err(error) => {
            unserved(&worker, &info, record, &error);
            return None;
        }
    };
    let relay = Relay::new(service.idle_timeout, Arc::clone(&worker.stats))
        .with_from_client(hello.bytes)
        .paced(permit.throttle(), permit.throttle());
    Some(Box::new(Session {
        client,
        peer,
        relay,
        _permit: permit,
    }))
}

/// Asks the limits, and waits if they say so.
async fn admit(
    info: &ConnInfo,
    service: &Service,
    hello: &Hello,
    record: &mut Record,
    worker: &Worker,
) -> Option<Permit> {
    let sni = hello.sni.as_deref();
    match admission::ask(&service.limits, &Asked { info, sni }, &worker.stats) {
        Ok((wait, permit)) => {
            if !wait.is_zero() {
                sleep(wait).await;
            }
            Some(permit)
        }
        Err(refusal) => {
            record.ended = (Side::Gateway, "over a limit");
            record.limit = Some(refusal.limit);
            None
        }
    }
}

impl Session {
    /// Carries bytes both ways; what was carried is noted even when the task is dropped on the way.
    async fn carry(&mut self, record: &mut Record) {
        let (client, peer) = (&mut self.client, &mut self.peer.stream);
        let relay = &mut self.relay;
        let carried = Carried { relay, record };
        let ended = carried.relay.run(client, peer).await;
        carried.record.ended = (ended.by, ended.why.as_str());
        if let Why::Failed(error) = &ended.why {
            tracing::debug!(by = ended.by.as_str(), "session ended: {error}");
            // One side broke off: the other must not take what it got for the whole.
            client.reset_on_drop();
            peer.reset_on_drop();
        }
    }
}

/// A relay whose counts reach the record, whatever happens.
struct Carried<'s> {
    relay: &'s mut Relay,
    record: &'s mut Record,
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        self.record.count(self.relay);
    }
}

/// No peer took the session: one line for the operator; the client sees the end of its connection.
fn unserved(worker: &Worker, info: &ConnInfo, record: &mut Record, error: &Error) {
    worker.stats.stream_unserved.increment();
    record.ended = (Side::Upstream, error.kind.as_str());
    let peer = record.tries.last().map(|last| last.peer.address());
    tracing::warn!(
        client = %info.peer, upstream = record.upstream.as_deref(), peer = peer.map(tracing::field::display),
        help = error.kind.remedy(), "session not served: {error}"
    );
}
