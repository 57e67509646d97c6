//! `[[http]]`: which address belongs to which listener, and how it shakes hands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use alb_conf::{Config, Http, PreferGm, Report, Spanned, Tls};
use alb_core::listener::ConnectionLimit;
use alb_gm::tls::{Acceptor, AcceptorPolicy, ClientAuth, ClientAuthMode, Identity};

use super::identities::Identities;
use super::{Snapshot, problems, tls};

/// What a worker needs to take a connection.
pub struct HttpListener {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// TLCP and TLS; `None`: plain HTTP.
    pub acceptor: Option<Acceptor>,
    /// Counts the connections of all workers.
    pub limit: Arc<ConnectionLimit>,
    /// How many of them there may be.
    pub max_connections: Option<u64>,
}

/// Builds every listener that can be built; what is wrong goes to the report.
pub fn build(
    config: &Config,
    identities: &Identities,
    previous: Option<&Snapshot>,
    report: &mut Report,
) -> BTreeMap<SocketAddr, Arc<HttpListener>> {
    let mut listeners = BTreeMap::new();
    for http in &config.http {
        let Some(listener) = build_one(http, identities, previous, report) else {
            continue;
        };
        let listener = Arc::new(listener);
        for address in &http.listen {
            listeners.insert(**address, Arc::clone(&listener));
        }
    }
    listeners
}

fn build_one(
    http: &Http,
    identities: &Identities,
    previous: Option<&Snapshot>,
    report: &mut Report,
) -> Option<HttpListener> {
    let acceptor = match &http.tls {
        None => None,
        Some(tls) => Some(acceptor(tls, identities, report)?),
    };
    let name = http.name();
    let limit = previous.and_then(|p| p.limit_of(&name)).unwrap_or_default();
    Some(HttpListener {
        name: name.into(),
        acceptor,
        limit,
        max_connections: http.max_connections,
    })
}

fn acceptor(
    written: &Spanned<Tls>,
    identities: &Identities,
    report: &mut Report,
) -> Option<Acceptor> {
    let suites = tls::suites(&written.suites, report);
    let groups = tls::groups(&written.groups, report);
    let client_auth = client_auth(&written.client_auth, report);
    let policy = AcceptorPolicy {
        protocols: tls::protocols(&written.protocols),
        identities: named(&written.identities, identities)?,
        suites: suites?,
        groups: groups?,
        client_auth: client_auth?,
        alpn: tls::texts(&written.alpn),
        session_lifetime: *written.session_lifetime,
        handshake_timeout: *written.handshake_timeout,
        prefer_gm: written.prefer_gm == PreferGm::On,
    };
    match Acceptor::new(&policy) {
        Ok(acceptor) => Some(acceptor),
        Err(error) => {
            report.push(problems::policy(&error, written.span()));
            None
        }
    }
}

fn client_auth(written: &alb_conf::ClientAuth, report: &mut Report) -> Option<ClientAuth> {
    let mode = match *written.mode {
        alb_conf::ClientAuthMode::Off => ClientAuthMode::Off,
        alb_conf::ClientAuthMode::Optional => ClientAuthMode::Optional,
        alb_conf::ClientAuthMode::Required => ClientAuthMode::Required,
    };
    Some(ClientAuth {
        mode,
        trust: tls::trust(&written.ca, &written.crl, report)?,
        depth: written.depth,
    })
}

/// The identities named. `None` if one of them is unknown or could not be read, which has been said already.
fn named(names: &[Spanned<String>], identities: &Identities) -> Option<Vec<Arc<Identity>>> {
    let find = |name: &Spanned<String>| identities.get(name.as_str())?.clone();
    names.iter().map(find).collect()
}

impl Snapshot {
    fn limit_of(&self, name: &str) -> Option<Arc<ConnectionLimit>> {
        let mut listeners = self.listeners.values();
        let same = listeners.find(|listener| &*listener.name == name)?;
        Some(Arc::clone(&same.limit))
    }
}
