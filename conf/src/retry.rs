//! `retry` of an upstream: when a request is tried on another peer.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize, Serializer};

use crate::Time;
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

impl<'de> Deserialize<'de> for RetryOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match (text.as_str(), text.parse()) {
            ("error", _) => Ok(Self::Error),
            ("timeout", _) => Ok(Self::Timeout),
            (_, Ok(status @ 400..=599)) => Ok(Self::Status(status)),
            _ => Err(D::Error::custom(format!(
                "`{text}` is not a reason to retry: expected `error`, `timeout` or a status from `400` to `599`"
            ))),
        }
    }
}

impl Serialize for RetryOn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Error => serializer.serialize_str("error"),
            Self::Timeout => serializer.serialize_str("timeout"),
            Self::Status(status) => serializer.collect_str(status),
        }
    }
}

impl JsonSchema for RetryOn {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RetryOn".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^(error|timeout|[45][0-9][0-9])$" })
    }
}
