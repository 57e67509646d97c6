//! Points in time as certificates write them (RFC 5280 §4.1.2.5): whole seconds, UTC.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::der::{self, Element, tag};
use crate::error::{Error, Result};

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// A point in time, in seconds since 1970-01-01T00:00:00Z, between the years 0000 and 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// Now, by the system's clock.
    pub fn now() -> Self {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
        Self::from_unix(seconds)
    }

    /// From seconds since the epoch, held within the years that can be written.
    pub fn from_unix(seconds: i64) -> Self {
        const YEAR_0000: i64 = -62_167_219_200;
        const YEAR_9999_END: i64 = 253_402_300_799;
        Self(seconds.clamp(YEAR_0000, YEAR_9999_END))
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// This time moved by seconds, which may be negative.
    pub fn plus(self, seconds: i64) -> Self {
        Self::from_unix(self.0.saturating_add(seconds))
    }

    /// The DER element: UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5).
    pub fn to_der(self) -> Vec<u8> {
        let (year, ..) = civil(self.0);
        if (1950..2050).contains(&year) {
            der::element(tag::UTC_TIME, &self.digits().as_bytes()[2..])
        } else {
            self.to_generalized()
        }
    }

    /// The DER element, always GeneralizedTime, as OCSP wants it (RFC 6960 §4.2.2.1).
    pub fn to_generalized(self) -> Vec<u8> {
        der::element(tag::GENERALIZED_TIME, self.digits().as_bytes())
    }

    /// Reads UTCTime or GeneralizedTime in the forms RFC 5280 allows.
    pub fn from_der(element: &Element<'_>) -> Result<Self> {
        let bad = || {
            Error::malformed(
                "a time",
                format!("`{}`", String::from_utf8_lossy(element.content)),
            )
        };
        let text = std::str::from_utf8(element.content)
            .ok()
            .and_then(|text| text.strip_suffix('Z'))
            .ok_or_else(bad)?;
        let digits = match element.tag {
            tag::UTC_TIME if text.len() == 12 => {
                let century = if text < "50" { "20" } else { "19" };
                format!("{century}{text}")
            }
            tag::GENERALIZED_TIME => text.to_owned(),
            _ => return Err(bad()),
        };
        parse_digits(&digits).map(Self).ok_or_else(bad)
    }

    /// `YYYYMMDDHHMMSSZ`.
    fn digits(self) -> String {
        let (year, month, day, second) = civil(self.0);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
    }
}

impl fmt::Display for Time {
    /// `2026-11-21 04:50:00 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, second) = civil(self.0);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

fn parse_digits(digits: &str) -> Option<i64> {
    if digits.len() != 14 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| digits.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    let days = days_from_civil(year, month, day);
    let real = (1..=12).contains(&month) && civil(days * DAY) == (year, month, day, 0);
    (real && hour < 24 && minute < 60 && second < 60)
        .then_some(days * DAY + hour * 3600 + minute * 60 + second)
}

/// Year, month, day and second of the day of a Unix time (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(unix: i64) -> (i64, i64, i64, i64) {
    let (days, second) = (unix.div_euclid(DAY), unix.rem_euclid(DAY));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day,
        second,
    )
}

/// Days since the epoch of a civil date, the inverse of [`civil`].
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::Reader;
    use proptest::prelude::*;

    #[test]
    fn known_dates_print_as_the_calendar_has_them() {
        assert_eq!(Time::from_unix(0).to_string(), "1970-01-01 00:00:00 UTC");
        assert_eq!(
            Time::from_unix(951_782_400).to_string(),
            "2000-02-29 00:00:00 UTC"
        );
        assert_eq!(
            Time::from_unix(4_102_444_799).to_string(),
            "2099-12-31 23:59:59 UTC"
        );
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        for text in [
            "20230229000000Z",
            "20231301000000Z",
            "20230100000000Z",
            "20230101240000Z",
            "2023010100000Z",
        ] {
            let bytes = der::element(tag::GENERALIZED_TIME, text.as_bytes());
            let element = Reader::new(&bytes, "a time").any().unwrap();
            assert!(Time::from_der(&element).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn times_survive_a_round_trip(seconds in -62_167_219_200i64..=253_402_300_799) {
            let time = Time::from_unix(seconds);
            let bytes = time.to_der();
            prop_assert_eq!(Time::from_der(&Reader::new(&bytes, "a time").any().unwrap()).unwrap(), time);
        }
    }
}
