//! The time of a limiter: milliseconds and nanoseconds since an instant of its own, which stays across reloads.

use std::time::{Duration, Instant};

/// Times begin here, so that what has never been touched (0) lies far in the past; as nginx's clock is never near 0.
const BEGIN: Duration = Duration::from_secs(1 << 32);

/// Where a limiter's time begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn new() -> Self {
        Clock(Instant::now())
    }

    /// Milliseconds, as nginx counts them.
    pub(super) fn millis(self, now: Instant) -> u64 {
        let since = self.since(now);
        since.as_secs() * 1000 + u64::from(since.subsec_millis())
    }

    /// Nanoseconds since the limiter was made.
    pub(super) fn nanos(self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.0);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn since(self, now: Instant) -> Duration {
        now.saturating_duration_since(self.0) + BEGIN
    }
}
