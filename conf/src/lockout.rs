//! `[lockout]`: what rejected logins lead to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time};
use crate::{Prefix, Spanned, Time};

/// What rejected logins lead to, in all services together. Only wrong credentials count, the same ones again only once.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lockout {
    /// Rejected logins within `window` that lock a client's address (IPv6: its /64) out; `0` never does.
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    #[schemars(range(max = 1_000_000))]
    pub per_client: u32,
    /// Rejected logins within `window` from which on all logins of an account are slow; `0`: they never are. Nobody can be locked out of his account by others.
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    #[schemars(range(max = 1_000_000))]
    pub per_user: u32,
    /// The time in which rejected logins are counted; it begins with the first.
    #[serde(deserialize_with = "within_time::<1000, 604_800, _>")]
    pub window: Time,
    /// How long a client is locked out.
    #[serde(deserialize_with = "within_time::<1000, 604_800, _>")]
    pub time: Time,
    /// How long the first rejection of a session keeps it waiting; the next ones twice, four and eight times as long. `0s`: not at all.
    #[serde(deserialize_with = "within_time::<0, 60, _>")]
    pub delay: Time,
    /// Sessions that may wait at once; those above are closed instead.
    #[serde(deserialize_with = "within::<0, 1_000_000, _, _>")]
    #[schemars(range(max = 1_000_000))]
    pub waiting: u32,
    /// Clients, and accounts, that are remembered at once; each takes 65 bytes from the start.
    #[serde(deserialize_with = "within::<1024, 16_777_216, _, _>")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub entries: u32,
    /// Addresses that are never locked out.
    pub exempt: Vec<Spanned<Prefix>>,
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            per_client: 20,
            per_user: 10,
            window: Time::seconds(600),
            time: Time::seconds(900),
            delay: Time::seconds(1),
            waiting: 2000,
            entries: 65_536,
            exempt: Vec::new(),
        }
    }
}
