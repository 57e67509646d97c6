//! Logins that are being decided, counted by client: whoever has many under way at once could otherwise guess many times
//! before the first of them has failed.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Lockout;
use crate::limit::key::Key;
use crate::limit::table::{Place, Table};

/// Whether a login may be decided.
#[derive(Debug)]
pub enum Turn {
    /// It may; count what comes of it before the guard goes.
    Now(Deciding),
    /// So many of its client are being decided that it would be locked out if they all failed.
    Later,
    /// Its client is locked out.
    LockedOut,
}

/// A login that is being decided, counted while it is.
#[derive(Default)]
pub struct Deciding(Option<Counted>);

/// Where it is counted.
struct Counted {
    table: Arc<Table<u32>>,
    key: Key,
    place: Place,
}

impl Lockout {
    /// Whether a login of this client may be decided now.
    pub fn turn(&self, client: IpAddr, now: Instant) -> Turn {
        if self.policy.per_client == 0 || self.is_exempt(client) {
            return Turn::Now(Deciding::default());
        }
        let key = self.client(client);
        let now = self.clock.millis(now);
        let (place, turn) = self.turns.with(
            &key,
            |deciding| *deciding > 0,
            |deciding| {
                let state = self.clients.read(&key);
                let failed = match self.is_live(&state, now) {
                    true => state.count,
                    false => 0,
                };
                let free = failed.saturating_add(*deciding) < self.policy.per_client;
                *deciding += u32::from(free);
                match (self.remaining(&state, now), free) {
                    (Some(_), _) => Turn::LockedOut,
                    (None, true) => Turn::Now(Deciding::default()),
                    (None, false) => Turn::Later,
                }
            },
        );
        match turn {
            Turn::Now(_) => Turn::Now(Deciding(Some(Counted {
                table: Arc::clone(&self.turns),
                key,
                place,
            }))),
            other => other,
        }
    }
}

impl Drop for Deciding {
    fn drop(&mut self) {
        if let Some(Counted { table, key, place }) = &self.0 {
            table.again(key, *place, |deciding| {
                *deciding = deciding.saturating_sub(1)
            });
        }
    }
}

impl std::fmt::Debug for Deciding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Deciding").field(&self.0.is_some()).finish()
    }
}
