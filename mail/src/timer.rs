//! One timer for all waits of a session: setting one for each would cost more than most of what is waited for.

use std::pin::Pin;
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// A timer that is set once, and looked at when it fires.
pub struct Timer(Pin<Box<Sleep>>);

impl Timer {
    /// Set to this time at first.
    pub fn new(first: Instant) -> Self {
        Timer(Box::pin(sleep_until(first.into())))
    }

    /// Resolves at `deadline`. Where that is later than what it is set to, it is set anew only when it fires.
    pub async fn reaches(&mut self, deadline: Instant) {
        if self.0.deadline() > deadline.into() {
            self.0.as_mut().reset(deadline.into());
        }
        loop {
            self.0.as_mut().await;
            if self.0.deadline() >= deadline.into() {
                return;
            }
            self.0.as_mut().reset(deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_wait_ends_at_its_own_time_whatever_the_timer_was_set_to() {
        let begun = tokio::time::Instant::now();
        let after = |seconds| (begun + Duration::from_secs(seconds)).into_std();
        let mut timer = Timer::new(after(60));
        for seconds in [5, 5, 20, 90, 100] {
            timer.reaches(after(seconds)).await;
            assert_eq!(begun.elapsed().as_secs(), seconds, "{seconds}");
        }
        tokio::select! {
            biased;
            () = timer.reaches(after(160)) => panic!("too early"),
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        timer.reaches(after(110)).await;
        assert_eq!(begun.elapsed().as_secs(), 110);
    }
}
