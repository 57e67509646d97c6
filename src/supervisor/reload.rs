//! Reloading: everything that can fail comes before the switch; the switch is one store; what is left over is
//! drained after it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use alb_conf::{Diagnostic, Report, Severity};
use alb_core::endpoint::Endpoint;
use sd_notify::NotifyState;
use tokio::sync::oneshot;

use super::access_logs::Prepared;
use super::control::Answer;
use super::sockets::Sockets;
use super::start::notify;
use super::{Supervisor, changes};
use crate::snapshot::Snapshot;
use crate::worker::Command;

/// Everything a switch needs, so that it cannot fail.
struct Ready {
    snapshot: Arc<Snapshot>,
    warnings: Report,
    sockets: Sockets,
    access_logs: Prepared,
}

impl Supervisor {
    /// Reads the configuration again and switches to it. If anything is wrong with it, nothing changes.
    pub(super) async fn reload(&mut self) -> Answer {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            notify(&[NotifyState::Reloading, now]);
        }
        let answer = match self.prepare() {
            Ok(ready) => self.switch(ready).await,
            Err(answer) => answer,
        };
        tell(&answer);
        answer
    }

    fn prepare(&self) -> Result<Ready, Answer> {
        let before = self.published.load();
        let wrong = |report: Report| Answer {
            configuration: true,
            ..Answer::refused(UNCHANGED, text(&report))
        };
        let (snapshot, warnings) = Snapshot::load(&self.path, Some(&before)).map_err(wrong)?;
        let failed =
            |what: &str, error: String| Answer::refused(UNCHANGED, format!("{what}{error}"));
        let sockets = Sockets::bind(&snapshot.endpoints(), &self.bound, self.workers.len())
            .map_err(|error| failed("", error.to_string()))?;
        let access_logs = self.access_logs.prepare(&snapshot.config.log);
        let access_logs = access_logs.map_err(|error| {
            failed(
                "cannot open an access log or audit log: ",
                error.to_string(),
            )
        })?;
        Ok(Ready {
            snapshot: Arc::new(snapshot),
            warnings,
            sockets,
            access_logs,
        })
    }

    async fn switch(&mut self, ready: Ready) -> Answer {
        let (before, after) = (self.published.load(), ready.snapshot);
        self.resolve(&after).await;
        let log = &after.config.log;
        self.logging.apply(log);
        let old_access_logs = self.access_logs.switch(ready.access_logs, log);
        self.published.store(Arc::clone(&after));
        let close: Vec<_> = self.bound.difference(&after.endpoints()).copied().collect();
        if let Err(error) = self.listen(ready.sockets, close).await {
            tracing::error!("a worker cannot listen: {error}");
        }
        for writer in old_access_logs {
            writer.finish();
        }
        end_streams(&before, &after);
        let mut changes = changes::between(&before.config, &after.config);
        let restart = changes::needing_restart(&before.config, &after.config);
        changes.extend(
            restart
                .iter()
                .map(|name| format!("`{name}` takes a restart")),
        );
        log_warnings(&ready.warnings);
        self.look_at_expiry();
        Answer {
            changes,
            report: text(&ready.warnings),
            ..Answer::done("configuration reloaded")
        }
    }

    /// Gives new sockets to the workers and takes others away; returns when every worker has done so.
    pub(super) async fn listen(
        &mut self,
        mut sockets: Sockets,
        close: Vec<Endpoint>,
    ) -> io::Result<()> {
        self.bound.extend(sockets.endpoints());
        self.bound.retain(|endpoint| !close.contains(endpoint));
        let snapshot = self.published.load();
        let mut answers = Vec::new();
        for worker in &self.workers {
            let (done, answer) = oneshot::channel();
            worker.send(Command::Listen {
                open: sockets.take_for_one(),
                close: close.clone(),
                sinks: self.access_logs.sinks(&snapshot.config.log),
                done,
            });
            answers.push(answer);
        }
        for answer in answers {
            answer.await.map_err(io::Error::other)??;
        }
        Ok(())
    }

    /// Resolves names that are new, and has the resolver follow those of this snapshot from now on.
    pub(super) async fn resolve(&self, snapshot: &Snapshot) {
        let upstreams: Vec<_> = snapshot.upstreams.values().cloned().collect();
        self.resolver.resolve_new(&upstreams).await;
        self.upstreams.send_replace(upstreams);
    }

    /// The addresses that are listened on, for the log.
    pub(super) fn addresses(&self) -> String {
        let addresses: Vec<_> = self.bound.iter().map(|a| a.to_string()).collect();
        addresses.join(" ")
    }
}

/// Gives the sessions of stream listeners that are gone until `drain_timeout`.
fn end_streams(before: &Snapshot, after: &Snapshot) {
    let timeout: Duration = *after.config.daemon.drain_timeout;
    for service in before.services() {
        if after.service(&service.name).is_none() {
            let service = Arc::clone(service);
            tokio::spawn(async move {
                tokio::time::sleep(timeout).await;
                service.end();
            });
        }
    }
}

/// Tells the log, and systemd, whose status is one line.
fn tell(answer: &Answer) {
    if answer.done {
        tracing::info!(changes = answer.changes.join("; "), "{}", answer.message);
        notify(&[NotifyState::Ready, NotifyState::Status("running")]);
        return;
    }
    tracing::error!("{}\n{}", answer.message, answer.report);
    let why = answer.report.lines().next().unwrap_or(&answer.message);
    let status = format!("reload failed: {why}");
    notify(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

const UNCHANGED: &str = "the configuration is not reloaded, the old one stays in use";

/// Writes the warnings of a good configuration to the log.
pub(super) fn log_warnings(report: &Report) {
    let warnings = |d: &&Diagnostic| d.severity == Severity::Warning;
    for warning in report.diagnostics().iter().filter(warnings) {
        let help = warning.help.as_deref().unwrap_or_default();
        tracing::warn!(help, "configuration: {}", warning.message);
    }
}

fn text(report: &Report) -> String {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = report.render(&mut text, false);
    String::from_utf8_lossy(&text).into_owned()
}
