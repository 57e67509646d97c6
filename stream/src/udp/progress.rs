//! How far a flow has come, and whether it is over. No I/O; time is passed in.

use std::time::{Duration, Instant};

/// When a flow is over, as nginx's `proxy_timeout`, `proxy_responses` and `proxy_requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Without a datagram for so long.
    pub idle_timeout: Duration,
    /// Replies to expect to each request; `None`: unknown, and only silence ends the flow.
    pub responses: Option<u64>,
    /// Requests of one flow; the next one begins another. `None`: any number.
    pub requests: Option<u64>,
}

/// What has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    /// Datagrams of the client.
    pub requests: u64,
    /// Datagrams of the peer.
    pub replies: u64,
    /// Bytes of the client.
    pub received: u64,
    /// Bytes of the peer.
    pub sent: u64,
    last: Instant,
}

/// What time says of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ask again then.
    GoesOn(Instant),
    /// Silence ends it, as it may.
    Silent,
    /// It ends without the replies that were expected: the peer has failed.
    Unanswered,
}

impl Progress {
    pub fn begin(now: Instant) -> Self {
        Progress {
            requests: 0,
            replies: 0,
            received: 0,
            sent: 0,
            last: now,
        }
    }

    /// Datagrams of the client have been passed on.
    pub fn request(&mut self, count: u64, bytes: usize, now: Instant) {
        self.requests += count;
        self.received += bytes as u64;
        self.last = now;
    }

    /// Datagrams of the peer have been passed on. True for the first ones.
    pub fn reply(&mut self, count: u64, bytes: usize, now: Instant) -> bool {
        let first = self.replies == 0;
        self.replies += count;
        self.sent += bytes as u64;
        self.last = now;
        first
    }

    /// Whether the next datagram of the client begins another flow.
    pub fn is_full(&self, rules: &Rules) -> bool {
        rules.requests.is_some_and(|most| self.requests >= most)
    }

    /// Whether all is said: every request that may come has come, and every reply to them.
    pub fn is_complete(&self, rules: &Rules) -> bool {
        let awaits_requests = rules.requests.is_some() && !self.is_full(rules);
        !awaits_requests && self.is_answered(rules) == Some(true)
    }

    /// What time says.
    pub fn verdict(&self, rules: &Rules, now: Instant) -> Verdict {
        let end = self.last + rules.idle_timeout;
        match self.is_answered(rules) {
            _ if now < end => Verdict::GoesOn(end),
            Some(false) => Verdict::Unanswered,
            _ => Verdict::Silent,
        }
    }

    /// Whether the replies to the requests so far are there; `None` if nobody knows how many to expect.
    fn is_answered(&self, rules: &Rules) -> Option<bool> {
        Some(self.replies >= rules.responses?.saturating_mul(self.requests))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules(responses: Option<u64>, requests: Option<u64>) -> Rules {
        Rules {
            idle_timeout: Duration::from_secs(10),
            responses,
            requests,
        }
    }

    fn after(requests: u64, replies: u64, now: Instant) -> Progress {
        let mut progress = Progress::begin(now);
        progress.request(requests, 100, now);
        if replies > 0 {
            assert!(progress.reply(replies, 200, now));
        }
        progress
    }

    #[test]
    fn a_question_and_its_answer_are_a_flow() {
        let (now, dns) = (Instant::now(), rules(Some(1), Some(1)));
        assert!(after(1, 0, now).is_full(&dns));
        assert!(!after(1, 0, now).is_complete(&dns));
        assert!(after(1, 1, now).is_complete(&dns));
    }

    #[test]
    fn without_replies_to_expect_every_datagram_is_a_flow_and_silence_is_no_failure() {
        let (now, syslog) = (Instant::now(), rules(Some(0), None));
        assert!(after(1, 0, now).is_complete(&syslog));
        assert!(!after(1, 0, now).is_full(&syslog));
        let later = now + Duration::from_secs(10);
        assert_eq!(after(1, 0, now).verdict(&syslog, later), Verdict::Silent);
    }

    #[test]
    fn a_flow_without_counts_ends_by_silence_only() {
        let (now, any) = (Instant::now(), rules(None, None));
        assert!(!after(5, 7, now).is_complete(&any));
        let end = now + Duration::from_secs(10);
        let just_before = end - Duration::from_millis(1);
        assert_eq!(
            after(5, 7, now).verdict(&any, just_before),
            Verdict::GoesOn(end)
        );
        assert_eq!(after(5, 0, now).verdict(&any, end), Verdict::Silent);
    }

    #[test]
    fn missing_replies_are_the_peers_failure() {
        let (now, two_each) = (Instant::now(), rules(Some(2), None));
        let end = now + Duration::from_secs(10);
        assert_eq!(
            after(2, 3, now).verdict(&two_each, end),
            Verdict::Unanswered
        );
        assert_eq!(after(2, 4, now).verdict(&two_each, end), Verdict::Silent);
    }

    proptest! {
        /// Whatever passes in whatever order, a flow goes on exactly as long as something has passed lately.
        #[test]
        fn every_datagram_puts_the_end_off(
            steps in prop::collection::vec((any::<bool>(), 0u64..9_999), 0..50),
            responses in prop::option::of(0u64..5),
        ) {
            let rules = rules(responses, None);
            let mut now = Instant::now();
            let mut progress = Progress::begin(now);
            for (request, wait) in steps {
                now += Duration::from_millis(wait);
                prop_assert!(matches!(progress.verdict(&rules, now), Verdict::GoesOn(_)));
                match request {
                    true => progress.request(1, 10, now),
                    false => drop(progress.reply(1, 10, now)),
                }
                let end = now + rules.idle_timeout;
                prop_assert_eq!(progress.verdict(&rules, now), Verdict::GoesOn(end));
            }
        }
    }
}
