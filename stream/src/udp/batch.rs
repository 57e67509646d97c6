//! Datagrams that were received one after the other, until they go on. One batch serves a whole thread: nothing waits
//! while it is in use.

use std::cell::RefCell;
use std::io;

use super::run::{Joiner, MOST, Run};
use super::socket::{LARGEST, Received, Socket, is_lost};

/// Bytes of a batch; the last thing received needs room for the largest.
const ROOM: usize = 2 * LARGEST;

/// Received datagrams.
pub(super) struct Batch {
    buffer: Vec<u8>,
    items: Vec<Item>,
}

/// What one call has received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    at: usize,
    /// What the kernel said of it.
    pub facts: Received,
    /// Whose it is; `None`: nobody's, or it has gone on.
    pub owner: Option<u32>,
}

thread_local! {
    static BATCH: RefCell<Batch> = RefCell::new(Batch {
        buffer: vec![0; ROOM],
        items: Vec::with_capacity(MOST),
    });
}

impl Batch {
    /// Uses this thread's batch. Must not be called again from `f`.
    pub fn with<T>(f: impl FnOnce(&mut Batch) -> T) -> T {
        BATCH.with_borrow_mut(f)
    }

    /// Receives what is there, in at most so many calls. Replaces what was in the batch.
    ///
    /// # Errors
    ///
    /// What the socket says instead of more datagrams; those that came before are in the batch.
    pub fn fill(&mut self, socket: &Socket, calls: usize) -> io::Result<()> {
        self.items.clear();
        let mut used = 0;
        for _ in 0..calls.min(MOST) {
            let Some(room) = self.buffer.get_mut(used..used + LARGEST) else {
                break;
            };
            match socket.receive(room) {
                Ok(facts) => {
                    self.items.push(Item {
                        at: used,
                        facts,
                        owner: None,
                    });
                    used += facts.bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Such as ICMP's word that an earlier datagram was too large for its way.
                Err(error) if is_lost(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// How many calls have received something.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// What one of them has received.
    pub fn get(&self, at: usize) -> (Received, &[u8]) {
        let item = &self.items[at];
        (item.facts, &self.buffer[item.at..][..item.facts.bytes])
    }

    /// Says whose it is.
    pub fn give(&mut self, at: usize, owner: u32) {
        self.items[at].owner = Some(owner);
    }

    /// Hands over everything that has an owner: in runs as long as can be, for each owner in the order of receiving.
    pub fn each_run(&mut self, mut each: impl FnMut(u32, &Run<'_>)) {
        let (items, buffer) = (&mut self.items, &self.buffer);
        let mut joiner = Joiner::new();
        for first in 0..items.len() {
            let Some(owner) = items[first].owner else {
                continue;
            };
            let bytes = |item: &Item| &buffer[item.at..][..item.facts.bytes];
            joiner.begin(bytes(&items[first]), items[first].facts.segment);
            for item in items[first + 1..].iter_mut() {
                if item.owner != Some(owner) {
                    continue;
                }
                item.owner = None;
                if !joiner.add(bytes(item), item.facts.segment) {
                    each(owner, &joiner.run());
                    joiner.begin(bytes(item), item.facts.segment);
                }
            }
            each(owner, &joiner.run());
        }
    }
}
