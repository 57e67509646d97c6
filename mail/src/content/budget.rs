//! Room that all messages under way share: taken piece by piece, given back when a message is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many bytes for all.
#[derive(Debug)]
pub struct Budget {
    free: AtomicU64,
}

/// What one message has taken.
#[derive(Debug)]
pub struct Share {
    of: Arc<Budget>,
    bytes: u64,
}

/// Nothing is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl Budget {
    /// This many bytes.
    pub fn new(bytes: u64) -> Self {
        Budget {
            free: AtomicU64::new(bytes),
        }
    }
}

impl Share {
    /// Of this budget, nothing yet.
    pub fn of(budget: &Arc<Budget>) -> Self {
        Share {
            of: Arc::clone(budget),
            bytes: 0,
        }
    }

    /// Takes as much as is missing to `bytes` in all; never gives back.
    pub fn grow_to(&mut self, bytes: u64) -> Result<(), Exhausted> {
        let more = bytes.saturating_sub(self.bytes);
        let take = |free: u64| free.checked_sub(more);
        match self
            .of
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        {
            Ok(_) => {
                self.bytes += more;
                Ok(())
            }
            Err(_) => Err(Exhausted),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_has_another_cannot_take_until_it_is_given_back() {
        let budget = Arc::new(Budget::new(10));
        let (mut one, mut other) = (Share::of(&budget), Share::of(&budget));
        assert_eq!(one.grow_to(6), Ok(()));
        assert_eq!(one.grow_to(6), Ok(()));
        assert_eq!(other.grow_to(5), Err(Exhausted));
        drop(one);
        assert_eq!(other.grow_to(10), Ok(()));
    }
}
