//! Leaving: at once, or after finishing what is under way.

use std::time::Duration;

use alb_core::stats::WorkerStats;
use alb_gm::tls::Reason;
use sd_notify::NotifyState;
use tokio::time::{Instant, sleep_until};

use super::Supervisor;
use super::control::{Answer, Call};
use super::signals::{Signal, Signals};
use super::start::notify;
use crate::worker::Command;

impl Supervisor {
    /// Ends every connection now.
    pub(super) fn leave_now(mut self) {
        notify(&[NotifyState::Stopping]);
        self.tell_all(|| Command::Leave);
        self.end();
        self.sum_up();
    }

    /// Takes no new connections, and leaves when the open ones have finished or `drain_timeout` is over. `call` is
    /// answered at once and kept open until the end, which is how `alb stop` sees it.
    pub(super) async fn drain(mut self, signals: &mut Signals, mut call: Option<Call>) {
        notify(&[NotifyState::Stopping]);
        let timeout: Duration = *self.published.load().config.daemon.drain_timeout;
        let open = self.stats.sum(|worker| worker.connections_open.get());
        tracing::info!(
            connections = open,
            flows = self.stats.sum(|worker| worker.flows_open.get()),
            ?timeout,
            "leaving when the open connections have finished"
        );
        if let Some(call) = &mut call {
            let message = format!("leaving; {open} connections are open");
            call.answer(&Answer::done(message)).await;
        }
        self.tell_all(|| Command::Drain);
        let deadline = Instant::now() + timeout;
        loop {
            tokio::select! {
                _ = self.all_left.recv() => break,
                () = sleep_until(deadline) => {
                    let open = self.stats.sum(|worker| worker.connections_open.get());
                    let flows = self.stats.sum(|worker| worker.flows_open.get());
                    tracing::warn!(connections = open, flows, "`drain_timeout` is over, open connections are ended");
                    break;
                }
                signal = signals.next() => if signal == Signal::Leave { break },
            }
        }
        self.leave_now();
        drop(call);
    }

    /// The last line of the log: what was done since the start.
    fn sum_up(&self) {
        let sum = |number: fn(&WorkerStats) -> u64| self.stats.sum(number);
        let failures = Reason::ALL.map(|reason| {
            let count = self.stats.sum(|worker| worker.handshake_failures(reason));
            (count > 0).then(|| format!("{}={count}", reason.as_str()))
        });
        let failures: Vec<String> = failures.into_iter().flatten().collect();
        tracing::info!(
            connections = sum(|worker| worker.connections.get()),
            refused = sum(|worker| worker.connections_refused.get()),
            denied = sum(|worker| worker.access_denied.get()),
            proxy_headers_refused = sum(|worker| worker.proxy_headers_refused.get()),
            links_refused = sum(|worker| worker.links_refused.get()),
            requests = sum(|worker| worker.requests.get()),
            upstream_connections = sum(|worker| worker.upstream_connections.get()),
            upstream_failures = sum(|worker| worker.upstream_failures.get()),
            upstream_retries = sum(|worker| worker.upstream_retries.get()),
            sessions = sum(|worker| worker.stream_sessions.get()),
            flows = sum(|worker| worker.flows.get()),
            sessions_unserved = sum(|worker| worker.stream_unserved.get()),
            relayed_up = sum(|worker| worker.relayed_up.get()),
            relayed_down = sum(|worker| worker.relayed_down.get()),
            datagrams = sum(|worker| worker.datagrams.get()),
            datagrams_dropped = sum(|worker| worker.datagrams_dropped.get()),
            limit_refused = sum(|worker| worker.limit_refused.get()),
            limit_delayed = sum(|worker| worker.limit_delayed.get()),
            limit_excused = sum(|worker| worker.limit_excused.get()),
            limit_pressed = self.published.load().limits.pressed(),
            checks = self.stats.health().checks.get(),
            checks_failed = self.stats.health().failures.get(),
            verdicts_changed = self.stats.health().changes.get(),
            panics = sum(|worker| worker.panics.get()),
            handshake_failures = failures.join(" "),
            expired = self.stats.supervisor().expired.get(),
            expiring = self.stats.supervisor().expiring.get(),
            "alb has left"
        );
    }

    fn tell_all(&self, command: impl Fn() -> Command) {
        for worker in &self.workers {
            worker.send(command());
        }
    }

    /// Waits for the workers, which end at once now, and for the last lines of the access log.
    fn end(&mut self) {
        for worker in self.workers.drain(..) {
            worker.join();
        }
        self.access_logs.finish();
    }
}
