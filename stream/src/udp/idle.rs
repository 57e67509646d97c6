//! Who has been silent for longest: flows in the order of their last datagram, for each idle timeout one queue. Every
//! step takes the same time however many there are. No I/O; time is passed in.

use std::time::{Duration, Instant};

const NONE: u32 = u32::MAX;

/// The order of some flows, known by small numbers.
#[derive(Default)]
pub(super) struct Idle {
    /// By the number of the flow.
    links: Vec<Link>,
    queues: Vec<Queue>,
}

/// A flow's place in its queue.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
    queue: u32,
    since: Instant,
}

/// All flows with one timeout; reloads may leave several.
struct Queue {
    timeout: Duration,
    first: u32,
    last: u32,
}

impl Idle {
    /// A flow begins.
    pub fn enter(&mut self, flow: u32, timeout: Duration, now: Instant) {
        let queue = self.queue(timeout);
        let link = Link {
            before: NONE,
            after: NONE,
            queue,
            since: now,
        };
        let at = flow as usize;
        if at >= self.links.len() {
            self.links.resize(at + 1, link);
        }
        self.links[at] = link;
        self.append(flow);
    }

    /// Something has passed. `now` must not be before that of any earlier call.
    pub fn touch(&mut self, flow: u32, now: Instant) {
        self.links[flow as usize].since = now;
        if self.links[flow as usize].after != NONE {
            self.unlink(flow);
            self.append(flow);
        }
    }

    /// A flow has ended.
    pub fn leave(&mut self, flow: u32) {
        self.unlink(flow);
    }

    /// When the next one has been silent for too long.
    pub fn due(&self) -> Option<Instant> {
        self.firsts().map(|(_, due)| due).min()
    }

    /// One that has been silent for too long.
    pub fn expired(&self, now: Instant) -> Option<u32> {
        let mut firsts = self.firsts();
        firsts.find(|(_, due)| *due <= now).map(|(flow, _)| flow)
    }

    fn firsts(&self) -> impl Iterator<Item = (u32, Instant)> {
        let waiting = self.queues.iter().filter(|queue| queue.first != NONE);
        waiting.map(|queue| {
            let since = self.links[queue.first as usize].since;
            (queue.first, since + queue.timeout)
        })
    }

    /// The queue for a timeout: its own, one that is empty, or a new one.
    fn queue(&mut self, timeout: Duration) -> u32 {
        let of = |own: &Queue| own.timeout == timeout;
        let known = self.queues.iter().position(of);
        let known = known.or_else(|| self.queues.iter().position(|q| q.first == NONE));
        let at = known.unwrap_or(self.queues.len());
        if at == self.queues.len() {
            let (first, last) = (NONE, NONE);
            self.queues.push(Queue {
                timeout,
                first,
                last,
            });
        }
        self.queues[at].timeout = timeout;
        at as u32
    }

    fn append(&mut self, flow: u32) {
        let queue = &mut self.queues[self.links[flow as usize].queue as usize];
        let before = std::mem::replace(&mut queue.last, flow);
        match before {
            NONE => queue.first = flow,
            before => self.links[before as usize].after = flow,
        }
        let link = &mut self.links[flow as usize];
        (link.before, link.after) = (before, NONE);
    }

    fn unlink(&mut self, flow: u32) {
        let Link {
            before,
            after,
            queue,
            ..
        } = self.links[flow as usize];
        match before {
            NONE => self.queues[queue as usize].first = after,
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => self.queues[queue as usize].last = before,
            after => self.links[after as usize].before = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Enter(u32, u64),
        Touch(u32),
        Leave(u32),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0u32..8, 1u64..4).prop_map(|(flow, timeout)| Step::Enter(flow, timeout)),
            (0u32..8).prop_map(Step::Touch),
            (0u32..8).prop_map(Step::Leave),
            (0u64..3).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a table that is searched from end to end.
        #[test]
        fn who_is_due_is_who_has_been_silent_for_long_enough(steps in steps()) {
            let mut now = Instant::now();
            let mut idle = Idle::default();
            let mut table = BTreeMap::<u32, (Duration, Instant)>::new();
            for step in steps {
                match step {
                    Step::Enter(flow, seconds) if !table.contains_key(&flow) => {
                        let timeout = Duration::from_secs(seconds);
                        idle.enter(flow, timeout, now);
                        table.insert(flow, (timeout, now));
                    }
                    Step::Touch(flow) => if let Some(entry) = table.get_mut(&flow) {
                        idle.touch(flow, now);
                        entry.1 = now;
                    },
                    Step::Leave(flow) => if table.remove(&flow).is_some() {
                        idle.leave(flow);
                    },
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                    Step::Enter(..) => {}
                }
                let due = table.values().map(|(timeout, since)| *since + *timeout).min();
                prop_assert_eq!(idle.due(), due);
                match idle.expired(now) {
                    None => prop_assert!(due.is_none_or(|due| due > now)),
                    Some(flow) => {
                        let (timeout, since) = table[&flow];
                        prop_assert!(since + timeout <= now);
                        idle.leave(flow);
                        table.remove(&flow);
                    }
                }
            }
        }
    }
}
