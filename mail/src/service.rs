//! A mail listener as it is run: built once from the configuration, shared by all workers, immutable but for what it
//! learns of its servers.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::{
    ClientAuthMode, Mail, MailMechanism, MailMx, MailPolicy, MailProtocol, Map, TlsMode,
    UpstreamMail,
};
use alb_core::limit::lockout::Lockout;
use alb_core::upstream::Upstream;

use crate::auth::Authenticator;
use crate::capabilities::Offers;
use crate::content::{Policy, Store};
use crate::learned::Learned;
use crate::limits::Limits;
use crate::sasl::{Mechanism, Mechanisms};
use crate::secret::Secret;
use crate::{imap, pop3, smtp};

/// A mail listener.
pub struct Service {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// What its clients speak.
    pub protocol: MailProtocol,
    /// The name in greetings.
    pub hostname: String,
    /// As written: limits and timeouts.
    pub settings: Mail,
    /// Mechanisms offered.
    pub mechanisms: Mechanisms,
    /// Who decides about logins.
    pub auth: Arc<Authenticator>,
    /// The servers.
    pub pool: Arc<Pool>,
    /// Servers of single domains (MX).
    pub domains: HashMap<String, Arc<Pool>>,
    /// How long sessions may go on when the daemon leaves.
    pub drain_timeout: Duration,
    /// All servers it is known that clients may come to, each pool once: what all of them keep may be promised.
    pub destinations: Vec<Arc<Pool>>,
    /// What messages may hold (SMTP).
    pub policy: Option<Arc<Policy>>,
    /// Where messages are kept that do not go on as they come.
    pub store: Option<Arc<Store>>,
    /// Rejected logins, of all listeners.
    pub lockout: Arc<Lockout>,
    /// What a user is limited to.
    pub limits: Limits,
    /// Clients without a certificate are turned away, which is said in their protocol.
    pub wants_certificate: bool,
    /// The servers of every upstream: who decides about a login may name any.
    pub pools: HashMap<String, Arc<Pool>>,
}

/// The servers of an upstream with what is needed to log in there.
pub struct Pool {
    /// The servers.
    pub upstream: Arc<Upstream>,
    /// How they are logged in to.
    pub plan: UpstreamMail,
    /// The master user's password.
    pub master: Option<Secret>,
    /// What every one of them can do.
    pub learned: Arc<Learned>,
}

/// What a listener needs besides its section of the configuration.
pub struct Parts<'p> {
    /// Every upstream by name.
    pub upstreams: &'p HashMap<String, Arc<Upstream>>,
    /// How the servers of each are logged in to.
    pub plans: &'p Map<alb_conf::Upstream>,
    /// The passwords of master users, by upstream.
    pub masters: &'p HashMap<String, Secret>,
    /// What the active checks find out about servers, by upstream.
    pub learned: &'p HashMap<String, Arc<Learned>>,
    /// What messages may hold, by name.
    pub policies: &'p HashMap<String, Arc<Policy>>,
    /// Who decides about logins, by name.
    pub authenticators: &'p HashMap<String, Arc<Authenticator>>,
    /// Rejected logins.
    pub lockout: &'p Arc<Lockout>,
    /// How long sessions may go on when the daemon leaves.
    pub drain_timeout: Duration,
}

impl Service {
    /// Builds a listener; `None` if its section lacks something, which its check has said.
    pub fn build(written: &Mail, limits: Limits, parts: &Parts<'_>) -> Option<Self> {
        let protocol = written.protocol.as_deref().copied()?;
        let pools: HashMap<String, Arc<Pool>> = parts
            .upstreams
            .keys()
            .filter_map(|name| Some((name.clone(), parts.pool(name, protocol)?)))
            .collect();
        let find = |name: &str| pools.get(name).map(Arc::clone);
        let pool = find(written.upstream.as_deref()?)?;
        let auth = match &written.auth {
            None => Arc::new(Authenticator::passthrough()),
            Some(name) => Arc::clone(parts.authenticators.get(name.as_str())?),
        };
        let mx = written.smtp.mx.iter().flat_map(|mx| &mx.upstreams);
        let domains = mx.map(|(domain, name)| Some((domain.to_lowercase(), find(name)?)));
        let domains = domains.collect::<Option<HashMap<_, _>>>()?;
        let destinations = destinations(written, &auth, &pools);
        let policy = match &written.smtp.policy {
            None => None,
            Some(name) => Some(Arc::clone(parts.policies.get(name.as_str())?)),
        };
        let hostname = written.hostname.as_ref().map(|name| name.to_string());
        Some(Service {
            name: written.name().into(),
            protocol,
            hostname: hostname.unwrap_or_else(machine_name),
            settings: written.clone(),
            mechanisms: mechanisms(written),
            auth,
            pool,
            domains,
            destinations,
            drain_timeout: parts.drain_timeout,
            store: store(written, policy.as_deref()),
            policy,
            lockout: Arc::clone(parts.lockout),
            limits,
            wants_certificate: wants_certificate(written),
            pools,
        })
    }

    /// How TLS begins for who connected to `local`.
    pub fn tls_mode(&self, local: SocketAddr) -> Option<TlsMode> {
        self.settings.tls_mode(local.port())
    }

    /// Whether mail is taken from other servers, without login.
    pub fn mx(&self) -> Option<&MailMx> {
        self.settings.smtp.mx.as_deref()
    }

    /// Longest silence after login.
    pub fn idle(&self) -> Duration {
        let by_protocol = match self.protocol {
            MailProtocol::Imap => Duration::from_secs(35 * 60),
            MailProtocol::Pop3 => Duration::from_secs(11 * 60),
            MailProtocol::Smtp => Duration::from_secs(6 * 60),
        };
        self.settings
            .timeouts
            .idle
            .map_or(by_protocol, |time| *time)
    }

    /// Longest pause between two commands before login.
    pub fn command_timeout(&self) -> Duration {
        match self.mx() {
            // RFC 5321 § 4.5.3.2.7.
            Some(_) => (*self.settings.timeouts.command).max(Duration::from_secs(300)),
            None => *self.settings.timeouts.command,
        }
    }

    /// What clients may be offered of what the servers offer.
    pub fn passed_on(&self, servers: &Offers) -> Offers {
        match self.protocol {
            MailProtocol::Imap => servers.only(&imap::PASSED_ON),
            MailProtocol::Pop3 => servers.only(&pop3::PASSED_ON),
            MailProtocol::Smtp => smtp::passed_on(servers, self),
        }
    }

    /// The mechanisms that work with servers of which each can do this: some are understood by servers only.
    pub fn mechanisms_with(&self, servers: &Offers) -> Mechanisms {
        let works = |m: &Mechanism| !m.is_for_server() || servers.has_mechanism(m.name());
        self.mechanisms.iter().filter(works).collect()
    }

    /// Whether greetings of POP3 have a challenge for APOP.
    pub fn takes_apop(&self) -> bool {
        let mut named = self.settings.mechanisms.iter();
        named.any(|name| **name == MailMechanism::Apop)
    }
}

impl Pool {
    /// Whether one of its servers can be chosen now.
    pub fn is_up(&self, now: Instant) -> bool {
        let peers = self.upstream.peers();
        peers.iter().any(|peer| peer.is_available(now))
    }
}

impl Parts<'_> {
    fn pool(&self, name: &str, protocol: MailProtocol) -> Option<Arc<Pool>> {
        let learned = self.learned.get(name);
        let learned = learned.filter(|learned| learned.probed() == Some(protocol));
        Some(Arc::new(Pool {
            upstream: Arc::clone(self.upstreams.get(name)?),
            plan: self.plans.get(name)?.mail.clone(),
            master: self.masters.get(name).cloned(),
            learned: learned.cloned().unwrap_or_default(),
        }))
    }
}

/// Where messages are kept: as the policy says, or with its defaults.
fn store(written: &Mail, policy: Option<&Policy>) -> Option<Arc<Store>> {
    match policy {
        Some(policy) => Some(Arc::clone(&policy.store)),
        None if written.smtp.fans_out() => Some(Arc::new(Store::build(&MailPolicy::default()))),
        None => None,
    }
}

/// The pools that the listener, its domains and the maps of its users name.
fn destinations(
    written: &Mail,
    auth: &Authenticator,
    pools: &HashMap<String, Arc<Pool>>,
) -> Vec<Arc<Pool>> {
    let mx = written.smtp.mx.iter().flat_map(|mx| mx.upstreams.values());
    let own = written.upstream.iter().chain(mx).map(|name| name.as_str());
    let names: BTreeSet<&str> = own.chain(auth.upstreams()).collect();
    let found = names.into_iter().filter_map(|name| pools.get(name));
    found.cloned().collect()
}

fn wants_certificate(written: &Mail) -> bool {
    let mode = written.tls.as_ref().map(|tls| *tls.client_auth.mode);
    mode == Some(ClientAuthMode::Required)
}

/// The mechanisms of a listener: as written, or those for passwords.
fn mechanisms(written: &Mail) -> Mechanisms {
    let named = written.mechanisms.iter().filter_map(|name| match **name {
        MailMechanism::Apop => None,
        other => Mechanism::from_name(other.as_str().as_bytes()),
    });
    match written.mechanisms.is_empty() {
        true => [Mechanism::Plain, Mechanism::Login].into_iter().collect(),
        false => named.collect(),
    }
}

/// The name of this machine, for greetings.
pub(crate) fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
