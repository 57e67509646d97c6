//! The rest of an IMAP or POP3 session: bytes both ways, which nobody reads. What either side had sent ahead goes first.

use std::time::Duration;

use alb_core::relay::Relay;

use crate::backend::Backend;
use crate::client::{Client, Stop};
use crate::rehome::{Leave, place};

/// Carries bytes until both directions are over, and writes the line of the log.
pub fn run(client: Box<Client>, backend: Backend) -> impl Future<Output = ()> {
    let Client {
        wire,
        service,
        worker,
        mut record,
        permit,
        ..
    } = *client;
    let Backend {
        wire: server,
        active,
        away,
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
    let mut leave = Leave::new(away, record.id(), &worker);
    let last = ends_after(record.id(), service.drain_timeout);
    async move {
        let drained = async {
            drain.begun().await;
            tokio::time::sleep(last).await;
        };
        let ended = tokio::select! {
            biased;
            ended = relay.run(&mut near, &mut far) => Ok(ended),
            () = drained => Err(Stop::Draining),
            () = leave.over() => Err(Stop::Rehomed),
        };
        (record.received, record.sent) = (relay.received(), relay.sent());
        match ended {
            Err(stop) => record.end(stop.side(), stop.reason()),
            Ok(ended) => record.end(ended.by, ended.why.as_str()),
        }
        drop((active, permit));
    }
}

/// Sessions of a leaving worker end one after the other, not all at once: their clients come back at once.
const SPREAD: Duration = Duration::from_secs(30);

/// How long a session of a leaving worker goes on: its end lies in the last half minute of `drain_timeout`.
fn ends_after(id: u64, drain_timeout: Duration) -> Duration {
    // A tenth is left for the last ones to end by themselves, before they are ended.
    let before = SPREAD.min(drain_timeout).mul_f64(0.1 + 0.9 * place(id));
    drain_timeout.saturating_sub(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_apart_in_the_last_half_minute() {
        for (drain, first, last) in [(600, 570, 597), (30, 0, 27), (10, 0, 9), (0, 0, 0)] {
            let ends: Vec<_> = (0..1000)
                .map(|id| ends_after(id, Duration::from_secs(drain)))
                .collect();
            let within = Duration::from_secs(first)..=Duration::from_secs(last);
            assert!(
                ends.iter().all(|end| within.contains(end)),
                "{drain}: {ends:?}"
            );
            let early = ends
                .iter()
                .filter(|end| **end < (*within.start() + *within.end()) / 2);
            assert!(drain == 0 || (400..600).contains(&early.count()), "{drain}");
        }
    }
}
