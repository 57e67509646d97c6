//! Starting: everything that can fail comes before the first worker, in an order in which nothing is left behind.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_conf::{Daemon, Log, Report, Workers};
use alb_core::log::LogFile;
use alb_core::published::Published;
use alb_core::stats::Registry;
use alb_core::upstream::Resolver;
use sd_notify::NotifyState;
use tokio::sync::{mpsc, watch};

use super::access_logs::AccessLogs;
use super::control::Control;
use super::limits::raise_open_files;
use super::pid_file::{PidFile, PidFileError};
use super::privileges::Account;
use super::sockets::Sockets;
use super::{Supervisor, prober, reload, unreadable};
use crate::logging::{Logging, rotation};
use crate::snapshot::Snapshot;
use crate::worker::{Handle, Parts};

/// Why the daemon did not start.
pub enum StartError {
    /// The configuration is wrong.
    Configuration(Box<Report>),
    /// Something else, in one or more lines.
    Failed(String),
}

/// What was taken of the machine, as root if need be, before the first thread is started.
struct Ground {
    pid_file: Option<PidFile>,
    sockets: Sockets,
    logging: Logging,
    access_logs: AccessLogs,
    control: Option<Control>,
    workers: usize,
}

impl Supervisor {
    /// Reads the configuration, binds, becomes the configured user, and starts the workers.
    pub(super) async fn start(path: &Path) -> Result<Self, StartError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (snapshot, warnings) = read(&path)?;
        test_cryptography()?;
        let (open_files, complaint) = raise_open_files(snapshot.config.daemon.max_open_files);
        let ground = Ground::take(&snapshot)?;
        // From here on whatever is to be said goes to the log.
        reload::log_warnings(&warnings);
        unreadable::warn(&path, &snapshot.config);
        if let Some(complaint) = complaint {
            tracing::warn!("{complaint}");
        }
        let count = ground.workers;
        let supervisor = Self::on(ground, path, snapshot).await?;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            pid = std::process::id(),
            workers = count,
            open_files,
            accelerated = alb_gm::accelerated(),
            listeners = supervisor.addresses(),
            "alb runs"
        );
        notify(&[NotifyState::Ready]);
        supervisor.look_at_expiry();
        Ok(supervisor)
    }

    /// Starts the workers on prepared ground.
    async fn on(ground: Ground, path: PathBuf, snapshot: Snapshot) -> Result<Self, StartError> {
        let servers = &snapshot.config.daemon.resolvers;
        let servers: Vec<_> = servers.iter().map(|server| **server).collect();
        let resolver = Resolver::new(&servers)
            .map_err(|e| StartError::Failed(format!("cannot read /etc/resolv.conf: {e}")))?;
        let upstreams = watch::Sender::new(Vec::new());
        tokio::spawn(resolver.clone().follow(upstreams.subscribe()));
        let snapshot = Arc::new(snapshot);
        let published = Published::new(Arc::clone(&snapshot));
        let stats = Registry::default();
        prober::spawn(upstreams.subscribe(), stats.health())
            .map_err(|e| StartError::of("cannot start the prober", e))?;
        let (workers, all_left) = spawn_workers(ground.workers, &published, &stats)?;
        let mut supervisor = Supervisor {
            path,
            published,
            workers,
            all_left,
            bound: BTreeSet::new(),
            logging: ground.logging,
            access_logs: ground.access_logs,
            resolver,
            upstreams,
            stats,
            control: ground.control,
            _pid_file: ground.pid_file,
        };
        supervisor.resolve(&snapshot).await;
        let listening = supervisor.listen(ground.sockets, Vec::new()).await;
        listening.map_err(|e| StartError::of("cannot listen", e))?;
        Ok(supervisor)
    }
}

/// A gateway whose cryptography does not work must not serve (GM/T 0025-2014, self-test at power-up).
fn test_cryptography() -> Result<(), StartError> {
    let report = alb_gm::selftest::run();
    if report.passed() {
        return Ok(());
    }
    let mut message = "the self-test of the cryptography failed".to_owned();
    for check in report.failures() {
        let failure = check.failure.as_deref().unwrap_or_default();
        message.push_str(&format!("\n  {}: {failure}", check.name));
    }
    message.push_str("\nhelp: `alb selftest` runs it again; `acceleration = \"off\"` in `[daemon]` uses other code");
    Err(StartError::Failed(message))
}

impl Ground {
    fn take(snapshot: &Snapshot) -> Result<Self, StartError> {
        let (daemon, log) = (&snapshot.config.daemon, &snapshot.config.log);
        let user = account(daemon)?;
        let pid_file = daemon.pid_file.as_deref().map(|path| take_pid_file(path));
        let pid_file = pid_file.transpose()?;
        let workers = worker_count(daemon.workers);
        let sockets = Sockets::bind(&snapshot.endpoints(), &BTreeSet::new(), workers)
            .map_err(|error| StartError::Failed(error.to_string()))?;
        let control = daemon.pid_file.as_deref();
        let control = control.map(|path| Control::bind(path, user.as_ref()));
        let control = control
            .transpose()
            .map_err(|e| StartError::of("cannot make the control socket", e))?;
        let logging =
            Logging::start(log).map_err(|e| StartError::of("cannot open the error log", e))?;
        if let Some(user) = &user {
            become_user(user, &logging, log)?;
        }
        // After becoming the user: its thread must not keep what we gave up.
        let mut access_logs = AccessLogs::default();
        let prepared = access_logs.prepare(log);
        let prepared =
            prepared.map_err(|e| StartError::of("cannot open an access log or audit log", e))?;
        access_logs.switch(prepared, log);
        Ok(Ground {
            pid_file,
            sockets,
            logging,
            access_logs,
            control,
            workers,
        })
    }
}

fn spawn_workers(
    count: usize,
    published: &Arc<Published<Snapshot>>,
    stats: &Registry,
) -> Result<(Vec<Handle>, mpsc::Receiver<()>), StartError> {
    let (alive, all_left) = mpsc::channel(1);
    let spawn = |index| {
        Handle::spawn(Parts {
            index,
            published: Arc::clone(published),
            stats: stats.register(),
            alive: alive.clone(),
        })
    };
    let workers: io::Result<Vec<_>> = (0..count).map(spawn).collect();
    let workers = workers.map_err(|e| StartError::of("cannot start a worker", e))?;
    Ok((workers, all_left))
}

/// Tells systemd, if it wants to know.
pub(super) fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("cannot notify systemd: {error}");
    }
}

fn read(path: &Path) -> Result<(Snapshot, Report), StartError> {
    let wrong = |report| StartError::Configuration(Box::new(report));
    Snapshot::load(path, None).map_err(wrong)
}

/// The user to become, if this process is not that user already.
fn account(daemon: &Daemon) -> Result<Option<Account>, StartError> {
    let Some(name) = &daemon.user else {
        return Ok(None);
    };
    match Account::find(name) {
        Ok(Some(account)) => Ok(Some(account).filter(|account| !account.is_current())),
        Ok(None) => Err(StartError::Failed(format!("there is no user `{name}`"))),
        Err(error) => Err(StartError::of(
            &format!("cannot look up the user `{name}`"),
            error,
        )),
    }
}

/// The log files are made and given away first, so that they can be written and reopened.
fn become_user(user: &Account, logging: &Logging, log: &Log) -> Result<(), StartError> {
    let owned = logging.chown(user.uid(), user.gid()).and_then(|()| {
        let access = log.access.iter().map(|access| &access.file);
        let mut files = access.chain(log.mail.iter().map(|mail| &mail.file));
        files.try_for_each(|file| LogFile::open(file, rotation(log))?.chown(user.uid(), user.gid()))
    });
    owned.map_err(|e| StartError::of("cannot give the log files to `user`", e))?;
    user.assume().map_err(|error| {
        StartError::Failed(format!(
            "cannot become the user of `[daemon]`: {error}\n\
             help: start alb as root, or leave `user` out"
        ))
    })
}

fn take_pid_file(path: &Path) -> Result<PidFile, StartError> {
    PidFile::take(path).map_err(|error| match error {
        PidFileError::Taken(pid) => {
            let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
            StartError::Failed(format!(
                "alb already runs (process {pid} holds `{}`)\n\
                 help: `alb reload` or `alb stop` it, or give this one another `pid_file`",
                path.display()
            ))
        }
        PidFileError::Io(error) => StartError::of(
            &format!("cannot write the pid file `{}`", path.display()),
            error,
        ),
    })
}

fn worker_count(workers: Workers) -> usize {
    match workers {
        Workers::Count(count) => usize::from(count),
        Workers::Auto => std::thread::available_parallelism().map_or(1, |n| n.get()),
    }
}

impl StartError {
    pub(super) fn runtime(error: io::Error) -> Self {
        Self::of("cannot start", error)
    }

    fn of(what: &str, error: io::Error) -> Self {
        StartError::Failed(format!("{what}: {error}"))
    }
}
