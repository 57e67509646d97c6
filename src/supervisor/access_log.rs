//! `[log.access]`: which file is written, and how that changes with a reload.

use std::io;

use alb_conf::Log;
use alb_core::log::{AccessSink, AccessWriter, LogFile};

use crate::logging::rotation;

/// The access log of the daemon, if it keeps one.
#[derive(Default)]
pub struct AccessLog(Option<AccessWriter>);

/// An access log made ready, so that nothing can fail when the configuration is switched.
pub struct Prepared {
    /// A writer for a file that was not written before.
    new: Option<AccessWriter>,
    wanted: Option<alb_conf::AccessLog>,
}

impl AccessLog {
    /// Opens the file of a configuration if it is not open already.
    pub fn prepare(&self, log: &Log) -> io::Result<Prepared> {
        let wanted = log.access.clone();
        let new = match &wanted {
            Some(access) if !self.writes(access) => {
                let file = LogFile::open(&access.file, rotation(log))?;
                Some(AccessWriter::spawn(file, &access.file, access.format)?)
            }
            _ => None,
        };
        Ok(Prepared { new, wanted })
    }

    /// Switches to what was prepared. The old writer comes back if it is no longer needed: to be finished once no
    /// worker sends to it.
    pub fn switch(&mut self, prepared: Prepared, log: &Log) -> Option<AccessWriter> {
        let old = match (prepared.new, prepared.wanted) {
            (Some(new), _) => self.0.replace(new),
            (None, Some(_)) => None,
            (None, None) => self.0.take(),
        };
        if let Some(writer) = &self.0 {
            writer.set_rotation(rotation(log));
        }
        old
    }

    /// A sink for one worker.
    pub fn sink(&self, log: &Log) -> Option<AccessSink> {
        let access = log.access.as_ref()?;
        Some(self.0.as_ref()?.sink(access.format))
    }

    /// Opens the file anew, after it was renamed.
    pub fn reopen(&self) {
        if let Some(writer) = &self.0 {
            writer.reopen();
        }
    }

    /// Waits for the last lines; the workers must have ended.
    pub fn finish(&mut self) {
        if let Some(writer) = self.0.take() {
            writer.finish();
        }
    }

    fn writes(&self, access: &alb_conf::AccessLog) -> bool {
        let path = self.0.as_ref().map(AccessWriter::path);
        path == Some(access.file.as_path())
    }
}
