//! `[log.access]` and `[log.mail]`: which files are written, and how that changes with a reload.

use std::io;

use alb_conf::Log;
use alb_core::log::{AccessSink, AccessWriter, LogFile};

use crate::logging::rotation;

/// The logs of the daemon that have a line for each request or session.
#[derive(Default)]
pub struct AccessLogs {
    access: AccessLog,
    mail: AccessLog,
}

/// Where a worker sends its lines.
pub struct Sinks {
    /// Those of requests, and of sessions of streams.
    pub access: Option<AccessSink>,
    /// Those of mail.
    pub mail: Option<AccessSink>,
}

/// Logs made ready, so that nothing can fail when the configuration is switched.
pub struct Prepared {
    access: PreparedOne,
    mail: PreparedOne,
}

/// One log, if it is kept.
#[derive(Default)]
struct AccessLog(Option<AccessWriter>);

struct PreparedOne {
    /// A writer for a file that was not written before.
    new: Option<AccessWriter>,
    wanted: bool,
}

impl AccessLogs {
    /// Opens the files of a configuration that are not open already.
    pub fn prepare(&self, log: &Log) -> io::Result<Prepared> {
        let mail = log.mail.as_ref().map(|mail| mail.as_access());
        Ok(Prepared {
            access: self.access.prepare(log.access.as_ref(), log)?,
            mail: self.mail.prepare(mail.as_ref(), log)?,
        })
    }

    /// Switches to what was prepared. The old writers that are no longer needed come back: to be finished once no worker
    /// sends to them.
    pub fn switch(&mut self, prepared: Prepared, log: &Log) -> Vec<AccessWriter> {
        let old = [
            self.access.switch(prepared.access, log),
            self.mail.switch(prepared.mail, log),
        ];
        old.into_iter().flatten().collect()
    }

    /// The sinks for one worker.
    pub fn sinks(&self, log: &Log) -> Sinks {
        let mail = log.mail.as_ref().map(|mail| mail.as_access());
        Sinks {
            access: self.access.sink(log.access.as_ref()),
            mail: self.mail.sink(mail.as_ref()),
        }
    }

    /// Opens the files anew, after they were renamed.
    pub fn reopen(&self) {
        for writer in self.access.0.iter().chain(&self.mail.0) {
            writer.reopen();
        }
    }

    /// Waits for the last lines; the workers must have ended.
    pub fn finish(&mut self) {
        for log in [&mut self.access, &mut self.mail] {
            if let Some(writer) = log.0.take() {
                writer.finish();
            }
        }
    }
}

impl AccessLog {
    fn prepare(&self, wanted: Option<&alb_conf::AccessLog>, log: &Log) -> io::Result<PreparedOne> {
        let new = match wanted {
            Some(access) if !self.writes(access) => {
                let file = LogFile::open(&access.file, rotation(log))?;
                Some(AccessWriter::spawn(file, &access.file, access.format)?)
            }
            _ => None,
        };
        let wanted = wanted.is_some();
        Ok(PreparedOne { new, wanted })
    }

    fn switch(&mut self, prepared: PreparedOne, log: &Log) -> Option<AccessWriter> {
        let old = match (prepared.new, prepared.wanted) {
            (Some(new), _) => self.0.replace(new),
            (None, true) => None,
            (None, false) => self.0.take(),
        };
        if let Some(writer) = &self.0 {
            writer.set_rotation(rotation(log));
        }
        old
    }

    fn sink(&self, wanted: Option<&alb_conf::AccessLog>) -> Option<AccessSink> {
        Some(self.0.as_ref()?.sink(wanted?.format))
    }

    fn writes(&self, access: &alb_conf::AccessLog) -> bool {
        let path = self.0.as_ref().map(AccessWriter::path);
        path == Some(access.file.as_path())
    }
}
