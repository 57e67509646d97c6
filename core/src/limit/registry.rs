//! The `[limit.NAME]`s of a configuration, and what survives a reload.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_conf::{Limit, Map, Spanned};

use super::limiter::Limiter;
use super::set::LimitSet;

/// The limits of a configuration as they run. A limit counts apart what listeners name it for (connections, sessions)
/// and what sites and routes name it for (requests); it takes memory only for what it is named for.
#[derive(Default)]
pub struct Limits {
    sessions: Made,
    requests: Made,
}

/// Makes limits as they are named, adopting the counts of those of before.
pub struct Builder<'a> {
    written: &'a Map<Limit>,
    previous: Option<&'a Limits>,
    made: Limits,
}

type Made = BTreeMap<String, Arc<Limiter>>;

impl Limits {
    /// Every limit in use, once for sessions and once for requests.
    pub fn limiters(&self) -> impl Iterator<Item = &Arc<Limiter>> {
        self.sessions.values().chain(self.requests.values())
    }

    /// Decisions for keys that found no place of their own: more than none means that `entries` is too small.
    pub fn pressed(&self) -> u64 {
        self.limiters().map(|limiter| limiter.pressed()).sum()
    }
}

impl<'a> Builder<'a> {
    /// Begins with the limits as written, and those that run.
    pub fn new(written: &'a Map<Limit>, previous: Option<&'a Limits>) -> Self {
        Builder {
            written,
            previous,
            made: Limits::default(),
        }
    }

    /// The set for a listener's `limits`: it counts connections and sessions. Names that are unknown are passed over;
    /// the configuration's own check has complained.
    pub fn sessions<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n Spanned<String>>,
    ) -> LimitSet {
        let before = self.previous.map(|limits| &limits.sessions);
        set(self.written, &mut self.made.sessions, names, before)
    }

    /// The set for the `limits` of a site and a route: it counts requests.
    pub fn requests<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n Spanned<String>>,
    ) -> LimitSet {
        let before = self.previous.map(|limits| &limits.requests);
        set(self.written, &mut self.made.requests, names, before)
    }

    /// The set of one limit that no section writes, counting sessions: what holds where a listener names none. Listeners
    /// share it by its name, which is for the log.
    pub fn default_sessions(&mut self, name: &str, limit: &Limit) -> LimitSet {
        let before = self.previous.map(|limits| &limits.sessions);
        LimitSet::new([limiter(&mut self.made.sessions, name, limit, before)])
    }

    /// As [`default_sessions`](Self::default_sessions), counting requests.
    pub fn default_requests(&mut self, name: &str, limit: &Limit) -> LimitSet {
        let before = self.previous.map(|limits| &limits.requests);
        LimitSet::new([limiter(&mut self.made.requests, name, limit, before)])
    }

    /// What has been made.
    pub fn finish(self) -> Limits {
        self.made
    }
}

fn set<'n>(
    written: &Map<Limit>,
    made: &mut Made,
    names: impl IntoIterator<Item = &'n Spanned<String>>,
    previous: Option<&Made>,
) -> LimitSet {
    let each = names.into_iter().filter_map(|name| {
        let limit = written.get(name.as_str())?;
        Some(limiter(made, name, limit, previous))
    });
    LimitSet::new(each.collect::<Vec<_>>())
}

/// The limit of this name, made if it has not been, with the counts of before.
fn limiter(made: &mut Made, name: &str, limit: &Limit, previous: Option<&Made>) -> Arc<Limiter> {
    let limiter = made.entry(name.to_owned()).or_insert_with(|| {
        let before = previous.and_then(|limits| limits.get(name));
        Arc::new(Limiter::new(name, limit, before.map(|limiter| &**limiter)))
    });
    Arc::clone(limiter)
}

/// A limit as a configuration writes it, for tests.
#[cfg(test)]
pub(super) fn written(toml: &str) -> Limit {
    let text = format!("[limit.x]\n{toml}\n");
    let read = alb_conf::check_str(&text);
    let config = read.unwrap_or_else(|report| panic!("{report}"));
    config.limit["x"].clone()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::net::IpAddr;
    use std::time::Instant;

    use super::super::{Decision, KeySource, Keys};
    use super::*;

    struct Client;

    impl Keys for Client {
        fn client_ip(&self) -> IpAddr {
            [10, 0, 0, 1].into()
        }

        fn value(&self, _: &KeySource) -> Option<Cow<'_, [u8]>> {
            None
        }
    }

    fn limits(toml: &str, previous: Option<&Limits>) -> (Limits, LimitSet) {
        let map = Map::from([("x".to_owned().into(), written(toml))]);
        let mut builder = Builder::new(&map, previous);
        let set = builder.requests(&["x".to_owned().into()]);
        (builder.finish(), set)
    }

    fn passes(set: &LimitSet) -> bool {
        matches!(set.admit(Instant::now(), &Client), Decision::Pass(_))
    }

    #[test]
    fn a_reload_keeps_what_has_been_counted() {
        let (limits_1, set) = limits("requests = 2\nper = \"1h\"", None);
        assert!(passes(&set) && passes(&set) && !passes(&set));
        let (limits_2, set) = limits("requests = 3\nper = \"1h\"", Some(&limits_1));
        assert!(
            passes(&set) && !passes(&set),
            "another number, the same count"
        );
        let (limits_3, set) = limits(
            "requests = 3\nper = \"1h\"\nconnections = 5",
            Some(&limits_2),
        );
        assert!(!passes(&set), "another kind besides");
        let (_, set) = limits("requests = 3\nper = \"1h\"\nkey = \"all\"", Some(&limits_3));
        assert!(passes(&set), "another key begins anew");
    }

    #[test]
    fn connections_of_before_a_reload_are_counted_after_it() {
        let (before, set) = limits("connections = 1", None);
        let Decision::Pass(permit) = set.admit(Instant::now(), &Client) else {
            panic!("refused");
        };
        let (_after, set) = limits("connections = 1\nstatus = 503", Some(&before));
        assert!(!passes(&set));
        drop((before, permit));
        assert!(passes(&set));
    }

    #[test]
    fn listeners_and_routes_count_apart() {
        let map = Map::from([("x".to_owned().into(), written("connections = 1"))]);
        let mut builder = Builder::new(&map, None);
        let names = ["x".to_owned().into()];
        let (sessions, requests) = (builder.sessions(&names), builder.requests(&names));
        let limits = builder.finish();
        let session = sessions.admit(Instant::now(), &Client);
        assert!(matches!(session, Decision::Pass(_)));
        assert!(passes(&requests));
        assert!(!passes(&sessions));
        assert_eq!(limits.limiters().count(), 2);
    }
}
