//! The time of day as headers and logs write it, formatted once per second and worker.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The date, kept formatted.
#[derive(Debug)]
pub struct Clock(RefCell<(u64, [u8; 29])>);

impl Default for Clock {
    fn default() -> Self {
        Self(RefCell::new((u64::MAX, [0; 29])))
    }
}

impl Clock {
    /// Now, as an HTTP date (RFC 9110 §5.6.7), which always has 29 bytes.
    pub fn date(&self) -> [u8; 29] {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let mut cached = self.0.borrow_mut();
        if cached.0 != now {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now));
            cached.0 = now;
            if let Ok(date) = text.as_bytes().try_into() {
                cached.1 = date;
            }
        }
        cached.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_parses_as_the_present() {
        let date = Clock::default().date();
        let text = std::str::from_utf8(&date).expect("ascii");
        let parsed = httpdate::parse_http_date(text).expect("a date");
        let age = SystemTime::now()
            .duration_since(parsed)
            .expect("not in the future");
        assert!(age.as_secs() < 5);
    }
}
