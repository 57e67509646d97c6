//! `[limit.NAME]`: how much one client, or whatever the key names, may ask for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::range::{within, within_time};
use crate::{Bandwidth, LimitKey, Rate, Size, Spanned, Time};

/// A limit: one or more of `rate`, `requests`, `connections`, `bandwidth`, `bandwidth_per_key`.
///
/// On a listener it counts connections (or sessions), on a site or a route requests; each for itself.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limit {
    /// What is counted apart: `client_ip`, `client_ip/24/64` (prefixes of IPv4 and IPv6), `server` (the host asked for), `header:NAME`, `cookie:NAME`, `user`, `certificate` (its subject), `all` (one count), or several with commas. What has no key is not limited.
    pub key: Spanned<LimitKey>,
    /// Requests per second or minute, evenly: `"100/s"`, `"30/m"`. As nginx's `limit_req`.
    pub rate: Option<Spanned<Rate>>,
    /// Requests that may come too early; they wait until `rate` allows them. More are refused.
    #[serde(deserialize_with = "within::<0, 4_000_000, _, _>")]
    #[schemars(range(max = 4_000_000))]
    pub burst: u32,
    /// Early requests that do not wait.
    #[serde(deserialize_with = "within::<0, 4_000_000, _, _>")]
    #[schemars(range(max = 4_000_000))]
    pub delay: u32,
    /// No early request waits.
    pub nodelay: bool,
    /// Requests in each `per`.
    #[serde(deserialize_with = "within::<1, 4_294_967_295, _, _>")]
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub requests: Option<u64>,
    /// The period of `requests`.
    #[serde(deserialize_with = "within_optional_time")]
    pub per: Option<Time>,
    /// How periods follow each other.
    pub window: Window,
    /// Requests, connections or sessions at once.
    #[serde(deserialize_with = "within::<1, 4_294_967_295, _, _>")]
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub connections: Option<u64>,
    /// Bytes per second of each response, or of each direction of a session: `"2MiB/s"`.
    pub bandwidth: Option<Bandwidth>,
    /// What passes before `bandwidth` begins to hold.
    pub bandwidth_after: Size,
    /// Bytes per second of everything that has the same key, together.
    pub bandwidth_per_key: Option<Bandwidth>,
    /// Status of the answer to a request over the limit, 400 to 599.
    #[serde(deserialize_with = "within::<400, 599, _, _>")]
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// `Retry-After` of that answer; without it the time after which a request has a chance, `0s` leaves the field out.
    pub retry_after: Option<Time>,
    /// Counts and logs what would be refused, and lets it pass.
    pub dry_run: bool,
    /// Keys remembered at once, 16 to 16777216, for 65 bytes each and kind of limit. When there are more, those of one network share a count.
    #[serde(deserialize_with = "within::<16, 16_777_216, _, _>")]
    #[schemars(range(min = 16, max = 16_777_216))]
    pub entries: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            key: LimitKey::default().into(),
            rate: None,
            burst: 0,
            delay: 0,
            nodelay: false,
            requests: None,
            per: None,
            window: Window::Fixed,
            connections: None,
            bandwidth: None,
            bandwidth_after: Size::bytes(0),
            bandwidth_per_key: None,
            status: 429,
            retry_after: None,
            dry_run: false,
            entries: 65_536,
        }
    }
}

impl Limit {
    /// The limit of mail listeners that name none: 20 sessions of a user at once.
    pub fn of_sessions() -> Self {
        Self {
            connections: Some(20),
            ..Self::of_users()
        }
    }

    /// The limit of SMTP listeners that name none: 300 messages of a user in an hour.
    pub fn of_messages() -> Self {
        Self {
            requests: Some(300),
            per: Some(Time::seconds(3600)),
            ..Self::of_users()
        }
    }

    /// The limit of SMTP listeners that name none: 1000 recipients of a user in an hour.
    pub fn of_recipients() -> Self {
        Self {
            requests: Some(1000),
            per: Some(Time::seconds(3600)),
            ..Self::of_users()
        }
    }

    fn of_users() -> Self {
        Self {
            key: LimitKey::user().into(),
            entries: 16_384,
            ..Self::default()
        }
    }

    /// Whether it counts or slows anything.
    pub(crate) fn has_effect(&self) -> bool {
        self.rate.is_some()
            || self.requests.is_some()
            || self.connections.is_some()
            || self.bandwidth.is_some()
            || self.bandwidth_per_key.is_some()
    }
}

/// How the periods of `requests` follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A period begins with the first request after the last one; at its end the count starts anew.
    #[default]
    Fixed,
    /// At any time the last `per` counts: the share of the period before is taken as even.
    Sliding,
}

fn within_optional_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Time>, D::Error> {
    within_time::<1000, 2_678_400, _>(deserializer).map(Some)
}
