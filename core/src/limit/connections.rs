//! How many at once: connections, sessions or requests, each counted until its guard is dropped.

use std::sync::Arc;

use super::key::Key;
use super::table::{Place, Table};

/// A limit of what is under way at once.
pub(super) struct Connections {
    most: u64,
    table: Arc<Table<u64>>,
}

/// One of those under way.
pub(super) struct Held {
    key: Key,
    place: Place,
    table: Arc<Table<u64>>,
}

impl Connections {
    pub(super) fn new(written: &alb_conf::Limit, table: Arc<Table<u64>>) -> Option<Self> {
        let most = written.connections?;
        Some(Connections { most, table })
    }

    pub(super) fn table(&self) -> &Arc<Table<u64>> {
        &self.table
    }

    /// Counts one more; `None` if there are as many as may be.
    pub(super) fn enter(&self, key: &Key) -> Option<Held> {
        let (place, entered) = self.table.with(
            key,
            |count| *count > 0,
            |count| {
                let entered = *count < self.most;
                *count += u64::from(entered);
                entered
            },
        );
        entered.then(|| Held {
            key: *key,
            place,
            table: Arc::clone(&self.table),
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A count above zero is never forgotten, so it is found.
        self.table.again(&self.key, self.place, |count| {
            *count = count.saturating_sub(1);
        });
    }
}
