//! A line in the log for what is refused: one for each limit in ten seconds, saying how many there were.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds between two lines.
const EVERY: u64 = 10_000;

/// What a limit has to say.
#[derive(Debug, Default)]
pub(super) struct Notice {
    last: AtomicU64,
    silent: AtomicU64,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// It was refused.
    Refused,
    /// It would have been refused.
    Excused,
}

impl Notice {
    /// Notes an event and writes a line when it is time; `now` in milliseconds.
    pub(super) fn note(&self, limit: &str, event: Event, client: IpAddr, now: u64) {
        let last = self.last.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= EVERY;
        // One of several that come at once writes the line.
        let mine = due
            && self
                .last
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            self.silent.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let more = self.silent.swap(0, Ordering::Relaxed);
        match event {
            Event::Refused => tracing::warn!(limit, %client, more, "over the limit: refused"),
            Event::Excused => {
                tracing::warn!(limit, %client, more, "over the limit: not refused (`dry_run`)");
            }
        }
    }
}
