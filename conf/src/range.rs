//! Values with a lowest and a highest, for `#[serde(deserialize_with)]`.

use serde::de::{Deserialize, Deserializer, Error, Unexpected};

use crate::{Size, Time};

/// Reads a whole number from `MIN` to `MAX`.
pub(crate) fn within<'de, const MIN: i64, const MAX: i64, T, D>(
    deserializer: D,
) -> Result<T, D::Error>
where
    T: FromNumber,
    D: Deserializer<'de>,
{
    let number = i64::deserialize(deserializer)?;
    Some(number)
        .filter(|number| (MIN..=MAX).contains(number))
        .and_then(T::from_number)
        .ok_or_else(|| {
            let expected = format!("a number from {MIN} to {MAX}");
            D::Error::invalid_value(Unexpected::Signed(number), &expected.as_str())
        })
}

/// Reads a time from `MIN` milliseconds to `MAX` seconds.
pub(crate) fn within_time<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Time, D::Error> {
    let time = Time::deserialize(deserializer)?;
    let (min, max) = (Time::millis(MIN), Time::seconds(MAX));
    if (min..=max).contains(&time) {
        return Ok(time);
    }
    let expected = format!("a duration from `{min}` to `{max}`");
    Err(D::Error::invalid_value(
        Unexpected::Str(&time.to_string()),
        &expected.as_str(),
    ))
}

/// The same where there may be none.
pub(crate) fn within_time_if<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Time>, D::Error> {
    within_time::<MIN, MAX, D>(deserializer).map(Some)
}

/// Reads a size from `MIN` to `MAX` bytes.
pub(crate) fn within_size<'de, const MIN: u64, const MAX: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Size, D::Error> {
    let size = Size::deserialize(deserializer)?;
    if (MIN..=MAX).contains(&size) {
        return Ok(size);
    }
    let expected = format!(
        "a size from `{}` to `{}`",
        Size::bytes(MIN),
        Size::bytes(MAX)
    );
    Err(D::Error::invalid_value(
        Unexpected::Str(&size.to_string()),
        &expected.as_str(),
    ))
}

/// Whole numbers that fields have, optional ones included.
pub(crate) trait FromNumber: Sized {
    fn from_number(number: i64) -> Option<Self>;
}

impl FromNumber for u16 {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl FromNumber for u32 {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok()
    }
}

impl FromNumber for Option<u64> {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok().map(Some)
    }
}

impl FromNumber for Option<u32> {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok().map(Some)
    }
}

impl FromNumber for Option<u16> {
    fn from_number(number: i64) -> Option<Self> {
        number.try_into().ok().map(Some)
    }
}
