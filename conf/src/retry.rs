//! `retry` of an upstream: when a request is tried on another peer.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;
use crate::as_text::as_text;
use crate::range::{within, within_time};

/// When and how often a request is tried on another peer. A request that is not idempotent is never sent twice.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Peers tried at most, the first included; 1 to 100. `1` never tries again.
    #[serde(deserialize_with = "within::<1, 100, _, _>")]
    #[schemars(range(min = 1, max = 100))]
    pub tries: u32,
    /// What makes the next peer be tried: `error`, `timeout`, or a status from `400` to `599`.
    pub on: Vec<RetryOn>,
    /// No further try begins after this time.
    #[serde(deserialize_with = "within_time::<1, 3600, _>")]
    pub within: Time,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 2,
            on: vec![RetryOn::Error, RetryOn::Timeout],
            within: Time::seconds(10),
        }
    }
}

/// What makes the next peer be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOn {
    /// The connection failed, or closed before the response.
    Error,
    /// The peer took too long to connect or to answer.
    Timeout,
    /// The peer answered with this status, 400 to 599.
    Status(u16),
}

impl FromStr for RetryOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("error", _) => Ok(Self::Error),
            ("timeout", _) => Ok(Self::Timeout),
            (_, Ok(status @ 400..=599)) => Ok(Self::Status(status)),
            _ => Err(format!(
                "`{text}` is not a reason to retry: expected `error`, `timeout` or a status from `400` to `599`"
            )),
        }
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error => f.write_str("error"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => status.fmt(f),
        }
    }
}

as_text!(RetryOn, { "type": "string", "pattern": "^(error|timeout|[45][0-9][0-9])$" });
