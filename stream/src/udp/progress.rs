//! How far a flow has come, and whether it is over. No I/O; time is passed in.

use std::time::Duration;

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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Datagrams of the client.
    pub requests: u64,
    /// Datagrams of the peer.
    pub replies: u64,
    /// Bytes of the client.
    pub received: u64,
    /// Bytes of the peer.
    pub sent: u64,
}

impl Rules {
    /// Whether the datagrams of a client are all one to a flow: none of them ends it, or begins another.
    pub fn is_open(&self) -> bool {
        self.requests.is_none() && self.responses != Some(0)
    }
}

impl Progress {
    /// Datagrams of the client have been passed on.
    pub fn request(&mut self, count: u64, bytes: usize) {
        self.requests += count;
        self.received += bytes as u64;
    }

    /// Datagrams of the peer have been passed on. True for the first ones.
    pub fn reply(&mut self, count: u64, bytes: usize) -> bool {
        let first = self.replies == 0;
        self.replies += count;
        self.sent += bytes as u64;
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

    /// Whether replies are missing that were to come: a flow that ends so has met a peer that fails.
    pub fn is_unanswered(&self, rules: &Rules) -> bool {
        self.is_answered(rules) == Some(false)
    }

    /// Whether the replies to the requests so far are there; `None` if nobody knows how many to expect.
    fn is_answered(&self, rules: &Rules) -> Option<bool> {
        Some(self.replies >= rules.responses?.saturating_mul(self.requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(responses: Option<u64>, requests: Option<u64>) -> Rules {
        Rules {
            idle_timeout: Duration::from_secs(10),
            responses,
            requests,
        }
    }

    fn after(requests: u64, replies: u64) -> Progress {
        let mut progress = Progress::default();
        progress.request(requests, 100);
        if replies > 0 {
            assert!(progress.reply(replies, 200));
        }
        progress
    }

    #[test]
    fn a_question_and_its_answer_are_a_flow() {
        let dns = rules(Some(1), Some(1));
        assert!(after(1, 0).is_full(&dns));
        assert!(!after(1, 0).is_complete(&dns));
        assert!(after(1, 1).is_complete(&dns));
    }

    #[test]
    fn without_replies_to_expect_every_datagram_is_a_flow_and_silence_is_no_failure() {
        let syslog = rules(Some(0), None);
        assert!(after(1, 0).is_complete(&syslog));
        assert!(!after(1, 0).is_full(&syslog));
        assert!(!after(1, 0).is_unanswered(&syslog));
        assert!(!syslog.is_open());
    }

    #[test]
    fn a_flow_without_counts_ends_by_silence_only() {
        let any = rules(None, None);
        assert!(any.is_open());
        assert!(!after(5, 7).is_complete(&any));
        assert!(!after(5, 0).is_unanswered(&any));
    }

    #[test]
    fn missing_replies_are_the_peers_failure() {
        let two_each = rules(Some(2), None);
        assert!(after(2, 3).is_unanswered(&two_each));
        assert!(!after(2, 4).is_unanswered(&two_each));
    }

    #[test]
    fn a_flow_of_several_questions_waits_for_all_of_them() {
        let three = rules(Some(1), Some(3));
        assert!(!after(2, 2).is_complete(&three));
        assert!(!after(3, 2).is_complete(&three));
        assert!(after(3, 3).is_complete(&three));
    }
}
