//! The error log: where `tracing` events go, in which form, and how that changes while the daemon runs.

use std::io;
use std::sync::Arc;

use alb_conf::{Level, Log, LogFormat};
use alb_core::log::{LogFile, Rotation};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::prelude::*;
use tracing_subscriber::reload::{self, Handle};
use tracing_subscriber::{Layer, Registry};

/// The error log of the process.
pub struct Logging {
    level: Handle<Targets, Registry>,
    file: Option<Arc<LogFile>>,
}

impl Logging {
    /// Opens the log and begins to write it. Once per process.
    pub fn start(log: &Log) -> io::Result<Self> {
        let file = match &log.file {
            Some(path) => Some(Arc::new(LogFile::open(path, rotation(log))?)),
            None => None,
        };
        let writer = match &file {
            Some(file) => BoxMakeWriter::new(Arc::clone(file)),
            None => BoxMakeWriter::new(io::stderr),
        };
        let (filter, level) = reload::Layer::new(targets(log.level));
        let format = tracing_subscriber::fmt::layer().with_writer(writer);
        let layer = match log.format {
            LogFormat::Text => format.with_ansi(false).with_target(false).boxed(),
            LogFormat::Json => format.json().flatten_event(true).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
        tracing::subscriber::set_global_default(subscriber).map_err(io::Error::other)?;
        log_panics();
        Ok(Logging { level, file })
    }

    /// Takes the level and the limits of rotation of a new configuration.
    pub fn apply(&self, log: &Log) {
        // Fails only if the subscriber is gone, and then there is nothing to set.
        let _ = self.level.reload(targets(log.level));
        if let Some(file) = &self.file {
            file.set_rotation(rotation(log));
        }
    }

    /// Opens the file anew, after it was renamed.
    pub fn reopen(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), |file| file.reopen())
    }

    /// Gives the file to the user the daemon is about to become.
    pub fn chown(&self, uid: u32, gid: u32) -> io::Result<()> {
        let file = self.file.as_ref();
        file.map_or(Ok(()), |file| file.chown(uid, gid))
    }
}

/// The limits of rotation as the log files take them.
pub fn rotation(log: &Log) -> Rotation {
    Rotation {
        size: *log.rotate.size,
        keep: log.rotate.keep,
    }
}

/// Our crates at the wanted level; libraries only when something is wrong, or everything is wanted.
fn targets(level: Level) -> Targets {
    let (ours, others) = match level {
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
        Level::Warn => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::WARN),
        Level::Trace => (LevelFilter::TRACE, LevelFilter::TRACE),
    };
    Targets::new().with_default(others).with_target("alb", ours)
}

/// A panic ends one connection; what happened and where goes to the log like any other error.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |l| l.to_string());
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(
            place,
            "panic: {message}; this is a fault of alb, please report it"
        );
    }));
}
