//! Quantities in time: `"100/s"` requests, `"2MiB/s"` bytes.

use std::fmt;
use std::str::FromStr;

use crate::Size;
use crate::as_text::as_text;

/// So many in a second or a minute: `"100/s"`, `"30/m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per_minute: bool,
}

/// Bytes per second: a [`Size`] and `/s`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth(Size);

/// The highest rate in either unit.
const MOST: u32 = 1_000_000;

impl Rate {
    /// Thousandths of a request per second, rounded down as nginx does; at least 16.
    pub fn thousandths_per_second(self) -> u64 {
        let thousandths = u64::from(self.count) * 1000;
        thousandths / if self.per_minute { 60 } else { 1 }
    }
}

impl Bandwidth {
    /// Bytes in a second.
    pub fn bytes_per_second(self) -> u64 {
        *self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a rate: expected a number from 1 to {MOST} and `/s` or `/m`, such as `100/s`"
            )
        };
        let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
        let per_minute = match unit {
            "s" => false,
            "m" => true,
            _ => return Err(wrong()),
        };
        let count = Some(count)
            .filter(|count| count.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|count| count.parse().ok())
            .filter(|count| (1..=MOST).contains(count))
            .ok_or_else(wrong)?;
        Ok(Self { count, per_minute })
    }
}

impl FromStr for Bandwidth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.strip_suffix("/s").and_then(|size| size.parse().ok());
        size.filter(|size: &Size| **size > 0)
            .map(Self)
            .ok_or_else(|| {
                format!("`{text}` is not a bandwidth: expected a size and `/s`, such as `2MiB/s`")
            })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.per_minute { "m" } else { "s" };
        write!(f, "{}/{unit}", self.count)
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

as_text!(Rate, { "type": "string", "pattern": "^[0-9]+/[sm]$" });

as_text!(Bandwidth, { "type": "string", "pattern": "^[0-9]+ *(B|[KMG]i?B)?/s$" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_thousandths_per_second_rounded_down() {
        for (text, thousandths) in [
            ("1/s", 1000),
            ("100/s", 100_000),
            ("30/m", 500),
            ("1/m", 16),
        ] {
            let rate: Rate = text.parse().expect(text);
            assert_eq!(rate.thousandths_per_second(), thousandths, "{text}");
            assert_eq!(rate.to_string(), text);
        }
        for text in ["", "1", "0/s", "-1/s", "1/h", "1.5/s", "1000001/s", "+1/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn bandwidths_are_sizes_per_second() {
        let bandwidth: Bandwidth = "2MiB/s".parse().expect("a bandwidth");
        assert_eq!(bandwidth.bytes_per_second(), 2 << 20);
        assert_eq!(bandwidth.to_string(), "2MiB/s");
        for text in ["2MiB", "0/s", "fast", "1KiB/m"] {
            assert!(text.parse::<Bandwidth>().is_err(), "{text}");
        }
    }
}
