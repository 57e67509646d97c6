//! The life of the daemon: start, signals, reload, leaving. Runs on the main thread and touches no connection.

pub mod access_logs;
mod changes;
pub mod control;
mod expiry;
mod leave;
pub mod limits;
pub mod pid_file;
pub mod privileges;
mod prober;
mod reload;
mod signals;
mod sockets;
mod start;
mod unreadable;

pub use start::StartError;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_core::endpoint::Endpoint;
use alb_core::published::Published;
use alb_core::stats::Registry;
use alb_core::upstream::{Resolver, Upstream};
use tokio::sync::{mpsc, watch};

use crate::logging::Logging;
use crate::snapshot::Snapshot;
use crate::worker::Handle;
use access_logs::AccessLogs;
use control::{Answer, Control, Order};
use pid_file::PidFile;
use signals::{Signal, Signals};

/// The running daemon.
pub struct Supervisor {
    path: PathBuf,
    published: Arc<Published<Snapshot>>,
    workers: Vec<Handle>,
    all_left: mpsc::Receiver<()>,
    bound: BTreeSet<Endpoint>,
    logging: Logging,
    access_logs: AccessLogs,
    resolver: Resolver,
    upstreams: watch::Sender<Vec<Arc<Upstream>>>,
    stats: Registry,
    control: Option<Control>,
    // Held until the very end: its lock says that the daemon runs.
    _pid_file: Option<PidFile>,
}

/// Runs the daemon in the foreground until it is told to leave.
///
/// # Errors
///
/// Why it could not start. Whatever happens later is logged.
pub fn run(path: &Path) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::runtime)?;
    // Until workers are started this is the only thread: privileges are dropped in here.
    runtime.block_on(async {
        let signals = Signals::listen().map_err(StartError::runtime)?;
        let supervisor = Supervisor::start(path).await?;
        supervisor.supervise(signals).await;
        Ok(())
    })
}

impl Supervisor {
    async fn supervise(mut self, mut signals: Signals) {
        let mut daily = expiry::daily();
        loop {
            tokio::select! {
                _ = daily.tick() => self.look_at_expiry(),
                signal = signals.next() => match signal {
                    Signal::Reload => { self.reload().await; }
                    Signal::Reopen => self.reopen_logs(),
                    Signal::Drain => return self.drain(&mut signals, None).await,
                    Signal::Leave => return self.leave_now(),
                },
                mut call = Control::next(&mut self.control) => match call.order {
                    Order::Reload => call.answer(&self.reload().await).await,
                    Order::Stop { now: true } => {
                        call.answer(&Answer::done("leaving now")).await;
                        return self.leave_now();
                    }
                    Order::Stop { now: false } => {
                        return self.drain(&mut signals, Some(call)).await;
                    }
                },
                _ = self.all_left.recv() => {
                    tracing::error!("every worker has ended, which is a fault of alb; leaving");
                    return;
                }
            }
        }
    }

    fn reopen_logs(&mut self) {
        self.access_logs.reopen();
        match self.logging.reopen() {
            Ok(()) => tracing::info!("log files reopened"),
            Err(error) => {
                tracing::error!("cannot reopen the error log, the old file stays in use: {error}")
            }
        }
    }
}
