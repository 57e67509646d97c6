//! One TCP session, from the end of the handshake to its line in the log.

use std::rc::Rc;
use std::sync::Arc;

use alb_core::relay::{Relay, Why};
use alb_core::{ConnInfo, Error, Side, Stream};

use crate::connect::{self, Connected};
use crate::record::Record;
use crate::{Service, Worker};

/// Carries a client's connection until it is over.
pub async fn serve(client: Stream, info: ConnInfo, service: Arc<Service>, worker: Rc<Worker>) {
    worker.stats.stream_sessions.increment();
    let mut record = Record::begin(&worker, &service, info.clone());
    let upstream = Arc::clone(&service.upstream);
    record.goes_to(&upstream);
    let connected = match connect::connect(&worker, &upstream, &mut record).await {
        Ok(connected) => connected,
        Err(error) => return unserved(&worker, &info, &mut record, &error),
    };
    let relay = Relay::new(service.idle_timeout, Arc::clone(&worker.stats));
    // A long session must keep neither the service nor the upstream of an old snapshot alive.
    drop((service, upstream, worker, info));
    carry(client, connected, relay, &mut record).await;
}

/// Carries bytes both ways; what was carried is noted even when the task is dropped on the way.
async fn carry(mut client: Stream, connected: Connected, relay: Relay, record: &mut Record) {
    let Connected { mut stream, active } = connected;
    let mut carried = Carried { relay, record };
    let ended = carried.relay.run(&mut client, &mut stream).await;
    carried.record.ended = (ended.by, ended.why.as_str());
    if let Why::Failed(error) = &ended.why {
        tracing::debug!(by = ended.by.as_str(), "session ended: {error}");
        // One side broke off: the other must not take what it got for the whole.
        client.reset_on_drop();
        stream.reset_on_drop();
    }
    drop(active);
}

/// A relay whose counts reach the record, whatever happens.
struct Carried<'r> {
    relay: Relay,
    record: &'r mut Record,
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        self.record.count(&self.relay);
    }
}

/// No peer took the session: one line for the operator; the client sees the end of its connection.
fn unserved(worker: &Worker, info: &ConnInfo, record: &mut Record, error: &Error) {
    worker.stats.stream_unserved.increment();
    record.ended = (Side::Upstream, error.kind.as_str());
    let peer = record.tries.last().map_or("none", |last| &last.address);
    tracing::warn!(
        client = %info.peer, upstream = record.upstream.as_deref(), peer,
        help = error.kind.remedy(), "session not served: {error}"
    );
}
