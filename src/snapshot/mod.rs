//! The configuration as it is run: certificates read, suites resolved, tables built. Immutable; a reload builds
//! a new one, adopting what survives. Opens files, but neither sockets nor threads.

mod access;
mod admission;
mod facts;
mod identities;
mod listeners;
mod mail;
mod problems;
mod tls;
mod upstreams;

pub use admission::Admission;
pub use listeners::{Listener, Protocol};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use alb_conf::{Acceleration, Config, Loaded, Report};
use alb_core::access::Lists;
use alb_core::endpoint::Endpoint;
use alb_core::limit::lockout::{Lockout, Policy};
use alb_core::limit::{self, Limits};
use alb_core::upstream::Upstream;
use alb_http::Tables;
use alb_mail::Learned;

/// Everything the workers need to know, at one moment.
pub struct Snapshot {
    /// The configuration it was built from.
    pub config: Config,
    /// Which listener an address belongs to.
    pub listeners: BTreeMap<Endpoint, Arc<Listener>>,
    /// The upstreams by name.
    pub upstreams: HashMap<String, Arc<Upstream>>,
    /// What active checks have learned of mail servers, by upstream.
    pub learned: HashMap<String, Arc<Learned>>,
    /// The limits, with their counts.
    pub limits: Limits,
    /// Rejected logins.
    pub lockout: Arc<Lockout>,
    /// Sites and routes.
    pub http: Arc<Tables>,
}

/// What listeners refer to by name, and what they share.
struct Named<'a> {
    upstreams: &'a HashMap<String, Arc<Upstream>>,
    learned: &'a HashMap<String, Arc<Learned>>,
    lists: &'a Lists,
    lockout: &'a Arc<Lockout>,
}

impl Snapshot {
    /// Reads a file and [builds](Self::build) it; wakes the cryptographic library if this is the first.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file or cannot be run, together.
    pub fn load(path: &Path, previous: Option<&Self>) -> Result<(Self, Report), Report> {
        match alb_conf::load(path) {
            Ok(loaded) => {
                if previous.is_none() {
                    init(&loaded.config);
                }
                Self::build(loaded, previous)
            }
            Err(mut report) => {
                if let Some(rest) = report.take_rest() {
                    init(&rest);
                    facts::check(&rest, &mut report);
                    access::build(&rest, &mut report);
                    identities::load(&rest, &mut report);
                    tls::look(&rest, &mut report);
                }
                Err(report)
            }
        }
    }

    /// Builds a snapshot, adopting the state of peers and the counts of listeners from `previous`. The report that
    /// comes with it holds warnings only.
    ///
    /// # Errors
    ///
    /// Everything in the file that cannot be run, together.
    pub fn build(loaded: Loaded, previous: Option<&Self>) -> Result<(Self, Report), Report> {
        let config = loaded.config;
        let mut report = Report::new(loaded.source);
        report.extend(loaded.warnings);
        facts::check(&config, &mut report);
        let lists = access::build(&config, &mut report);
        let identities = identities::load(&config, &mut report);
        let learned = mail::learned(&config, previous);
        let upstreams = upstreams::build(&config, &identities, &learned, previous, &mut report);
        let mut limits = limit::Builder::new(&config.limit, previous.map(|p| &p.limits));
        let lockout = Arc::new(lockout(&config, previous));
        let named = Named {
            upstreams: &upstreams,
            learned: &learned,
            lists: &lists,
            lockout: &lockout,
        };
        let listeners = listeners::build(
            &config,
            &identities,
            &named,
            &mut limits,
            previous,
            &mut report,
        );
        let mut found = Vec::new();
        let named = alb_http::route::Named {
            upstreams: &upstreams,
            access: &lists,
        };
        let http = alb_http::route::build(&config, &named, &mut limits, &mut found);
        let limits = limits.finish();
        report.extend(found);
        if report.has_errors() {
            return Err(report);
        }
        let snapshot = Snapshot {
            config,
            listeners,
            upstreams,
            learned,
            limits,
            lockout,
            http: Arc::new(http),
        };
        Ok((snapshot, report))
    }

    /// Everything to listen on.
    pub fn endpoints(&self) -> BTreeSet<Endpoint> {
        self.listeners.keys().copied().collect()
    }
}

/// The lockout list with what is known of before. It takes memory only where somebody can log in.
fn lockout(config: &Config, previous: Option<&Snapshot>) -> Lockout {
    let mut policy = Policy::new(&config.lockout);
    if config.mail.is_empty() {
        policy.entries = 1;
    }
    Lockout::adopting(policy, previous.map(|previous| &*previous.lockout))
}

/// Wakes the cryptographic library. Must come before the first snapshot is built.
fn init(config: &Config) {
    alb_gm::init(match config.daemon.acceleration {
        Acceleration::Auto => alb_gm::Acceleration::Auto,
        Acceleration::Off => alb_gm::Acceleration::Off,
    });
}
