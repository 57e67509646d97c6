//! What a run brought.

use std::fmt;
use std::time::Duration;

/// Latencies of all requests of a run.
#[derive(Default)]
pub struct Tally {
    latencies: Vec<u32>,
    /// Connections that broke, and responses that were not as expected.
    pub errors: usize,
    /// Bytes of messages that have arrived, where those are counted.
    pub bytes: usize,
    /// How long the run took.
    pub lasted: Duration,
}

impl Tally {
    /// Counts a request.
    pub fn add(&mut self, latency: Duration) {
        self.latencies
            .push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// How many requests were counted.
    pub fn count(&self) -> usize {
        self.latencies.len()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |share: usize| sorted.get(sorted.len() * share / 100).unwrap_or(&0);
        write!(
            f,
            "{} {} {} {} {}",
            sorted.len(),
            self.lasted.as_secs_f64(),
            at(50),
            at(99),
            self.errors
        )
    }
}
