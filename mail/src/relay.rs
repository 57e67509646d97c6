//! The rest of an IMAP or POP3 session: bytes both ways, which nobody reads. What either side had sent ahead goes first.

use alb_core::Side;
use alb_core::relay::Relay;

use crate::backend::Backend;
use crate::client::Client;

/// Carries bytes until both directions are over, and writes the line of the log.
pub fn run(client: Client, backend: Backend) -> impl Future<Output = ()> {
    let Client {
        wire,
        service,
        worker,
        mut record,
        permit,
        ..
    } = client;
    let Backend {
        wire: server,
        active,
        ..
    } = backend;
    let (mut near, mut far) = (wire.stream, server.stream);
    let mut relay = Relay::new(service.idle(), worker.stats.clone())
        .ending_with_upstream()
        .with_from_client(wire.buffer.to_vec())
        .with_from_upstream(server.buffer.to_vec())
        .paced(permit.throttle(), permit.throttle());
    // Only what the relay needs goes into its future, and nothing twice.
    let drain = worker.drain.clone();
    async move {
        let drained = async {
            drain.begun().await;
            // Sessions end one after the other, not all at once: their clients come back at once.
            tokio::time::sleep(spread(record.id())).await;
        };
        let ended = tokio::select! {
            biased;
            ended = relay.run(&mut near, &mut far) => Some(ended),
            () = drained => None,
        };
        (record.received, record.sent) = (relay.received(), relay.sent());
        match ended {
            None => record.end(Side::Gateway, "draining"),
            Some(ended) => record.end(ended.by, ended.why.as_str()),
        }
        drop((active, permit));
    }
}

/// When a session of a leaving worker ends: all of them within 30 seconds.
fn spread(id: u64) -> std::time::Duration {
    // Neighbouring numbers land far apart.
    let place = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
    std::time::Duration::from_millis(place % 30_000)
}
