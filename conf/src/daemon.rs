//! `[daemon]`: the process itself.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::range::within;
use crate::{Spanned, Time};

/// The process itself: threads, user, shutdown.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Daemon {
    /// Worker threads: `"auto"` is one per CPU, or a number from 1 to 1024.
    pub workers: Workers,
    /// User to run as once the addresses are bound; the process keeps its user without it.
    pub user: Option<Spanned<String>>,
    /// File that holds the process number while the daemon runs; `alb reload` and `alb stop` read it.
    pub pid_file: Option<Spanned<PathBuf>>,
    /// How long running requests may take to finish when the daemon leaves or a listener is removed.
    pub drain_timeout: Time,
    /// SM2, SM3 and SM4 code for this CPU (`"auto"`), or Tongsuo's portable code (`"off"`).
    pub acceleration: Acceleration,
    /// Limit of open files to raise the process to; the hard limit of the system without it.
    #[serde(deserialize_with = "within::<64, 1_073_741_816, _, _>")]
    #[schemars(range(min = 64, max = 1_073_741_816))]
    pub max_open_files: Option<u64>,
    /// Name servers that resolve the names of peers, `"10.0.0.2:53"`; without them, those of `/etc/resolv.conf`.
    pub resolvers: Vec<Spanned<SocketAddr>>,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            workers: Workers::Auto,
            user: None,
            pid_file: None,
            drain_timeout: Time::seconds(30),
            acceleration: Acceleration::Auto,
            max_open_files: None,
            resolvers: Vec::new(),
        }
    }
}

/// How many worker threads run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// One per CPU the process may use.
    Auto,
    /// This many, 1 to 1024.
    Count(u16),
}

/// Whether the accelerated SM2, SM3 and SM4 code is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acceleration {
    /// The fastest code this CPU runs, after its self-test.
    Auto,
    /// Tongsuo's own code.
    Off,
}

const MAX_WORKERS: u16 = 1024;

impl<'de> Deserialize<'de> for Workers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WorkersVisitor)
    }
}

struct WorkersVisitor;

impl Visitor<'_> for WorkersVisitor {
    type Value = Workers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`\"auto\"` or a number from 1 to {MAX_WORKERS}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Workers, E> {
        match text {
            "auto" => Ok(Workers::Auto),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Workers, E> {
        match u16::try_from(number) {
            Ok(count @ 1..=MAX_WORKERS) => Ok(Workers::Count(count)),
            _ => Err(E::invalid_value(
                serde::de::Unexpected::Signed(number),
                &self,
            )),
        }
    }
}

impl Serialize for Workers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Count(count) => serializer.serialize_u16(*count),
        }
    }
}

impl JsonSchema for Workers {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Workers".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": MAX_WORKERS }]
        })
    }
}
