//! `[log]`: the error log and the access log.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::within;
use crate::{Size, Spanned};

/// Error log and access log.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Least severe messages that are written.
    pub level: Level,
    /// Lines for people (`"text"`) or for machines (`"json"`).
    pub format: LogFormat,
    /// File of the error log; standard error without it.
    pub file: Option<Spanned<PathBuf>>,
    /// When the log files are rotated, and how many old ones are kept.
    pub rotate: Rotate,
    /// The access log: one line per request. None is written without it.
    pub access: Option<AccessLog>,
    /// The audit log of mail: a line for each session, and for each message of SMTP. Without it a session leaves a line in the error log.
    pub mail: Option<MailLog>,
}

/// Severity of a message of the error log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed that somebody must see to.
    Error,
    /// Something is wrong that the daemon copes with.
    Warn,
    /// The course of events: start, reload, refused handshakes.
    #[default]
    Info,
    /// What each connection does.
    Debug,
    /// Everything; slow.
    Trace,
}

/// Form of the error log, and of the audit log of mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line of words.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// When the log files are rotated, and how many old ones are kept.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotate {
    /// A file that has grown to this size is renamed and a new one begun; `0` never rotates.
    pub size: Size,
    /// Old files kept, 1 to 1000; the oldest is deleted.
    #[serde(deserialize_with = "within::<1, 1000, _, _>")]
    #[schemars(range(min = 1, max = 1000))]
    pub keep: u32,
}

impl Default for Rotate {
    fn default() -> Self {
        Self {
            size: Size::mib(100),
            keep: 10,
        }
    }
}

/// The access log: one line per request.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// File the lines are written to.
    pub file: Spanned<PathBuf>,
    /// Form of a line.
    #[serde(default)]
    pub format: AccessFormat,
}

/// The audit log of mail: a line for each session, and for each message of SMTP.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailLog {
    /// File the lines are written to; it cannot be that of another log.
    pub file: Spanned<PathBuf>,
    /// Lines for machines (`"json"`) or for people (`"text"`).
    #[serde(default = "json")]
    pub format: LogFormat,
}

impl MailLog {
    /// The same as an access log is written.
    pub fn as_access(&self) -> AccessLog {
        AccessLog {
            file: self.file.clone(),
            format: match self.format {
                LogFormat::Text => AccessFormat::Combined,
                LogFormat::Json => AccessFormat::Json,
            },
        }
    }
}

fn json() -> LogFormat {
    LogFormat::Json
}

/// Form of an access log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccessFormat {
    /// The combined format of Apache and nginx.
    #[default]
    Combined,
    /// One JSON object per line, with protocol, suite, upstream and times.
    Json,
}
