//! Durations and sizes as people write them: `"10s"`, `"64KiB"`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A span of time: a whole number and `ms`, `s`, `m`, `h` or `d`. Stored in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

/// A number of bytes: a whole number, alone or with `B`, `KiB`, `MiB`, `GiB` (powers of 1024), or `KB`, `MB`, `GB`
/// (powers of 1000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

/// Why a text is not a duration or a size: what was seen and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(String);

const TIME_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

impl Time {
    /// A whole number of milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// A whole number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl Size {
    /// A number of bytes.
    pub const fn bytes(count: u64) -> Self {
        Self(count)
    }

    /// A whole number of KiB.
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// A whole number of MiB.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl FromStr for Time {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) =
            split(text).ok_or_else(|| UnitError(format!("`{text}` is not a duration")))?;
        let millis = scale(number, unit, &TIME_UNITS, "duration", text)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (number, unit) =
            split(text).ok_or_else(|| UnitError(format!("`{text}` is not a size")))?;
        let unit = if unit.is_empty() { "B" } else { unit };
        scale(number, unit, &SIZE_UNITS, "size", text).map(Self)
    }
}

/// The digits and what follows them; `None` without digits.
fn split(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then_some((number, unit.trim_start()))
}

fn scale(
    number: &str,
    unit: &str,
    units: &[(&str, u64)],
    kind: &str,
    text: &str,
) -> Result<u64, UnitError> {
    let too_large = || UnitError(format!("`{text}` is too large for a {kind}"));
    let names = || {
        units
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(UnitError(match unit {
            "" => format!(
                "the {kind} `{text}` has no unit: expected one of {}",
                names()
            ),
            _ => format!(
                "unknown unit `{unit}` in `{text}`: expected one of {}",
                names()
            ),
        }));
    };
    let number: u64 = number.parse().map_err(|_| too_large())?;
    // Times end at i64::MAX milliseconds, so that adding one to a clock cannot overflow.
    number
        .checked_mul(*factor)
        .filter(|value| i64::try_from(*value).is_ok())
        .ok_or_else(too_large)
}

impl Deref for Time {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl Deref for Size {
    type Target = u64;

    fn deref(&self) -> &u64 {
        &self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(
            f,
            u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX),
            &TIME_UNITS,
            "0s",
        )
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.0, &SIZE_UNITS[..4], "0")
    }
}

/// The largest unit that leaves a whole number, so that what is printed reads back as the same value.
fn display(
    f: &mut fmt::Formatter<'_>,
    value: u64,
    units: &[(&str, u64)],
    zero: &str,
) -> fmt::Result {
    match units
        .iter()
        .rev()
        .find(|(_, factor)| value.is_multiple_of(*factor))
    {
        Some((unit, factor)) if value > 0 => write!(f, "{}{unit}", value / factor),
        _ => f.write_str(zero),
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as `\"500ms\"`, `\"10s\"` or `\"1h\"`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        text.parse().map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as `\"64KiB\"`, `\"1MiB\"` or a number of bytes")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<Size, E> {
        u64::try_from(bytes)
            .map(Size)
            .map_err(|_| E::custom("a size cannot be negative"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time: a whole number and `ms`, `s`, `m`, `h` or `d`.",
            "type": "string",
            "pattern": "^[0-9]+ *(ms|s|m|h|d)$"
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, alone or with a unit: `KiB`, `MiB`, `GiB` are powers of 1024, `KB`, `MB`, `GB` of 1000.",
            "anyOf": [
                { "type": "string", "pattern": "^[0-9]+ *(B|[KMG]i?B)?$" },
                { "type": "integer", "minimum": 0 }
            ]
        })
    }
}
