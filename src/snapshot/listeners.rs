//! The listeners: which address belongs to which, how it shakes hands, and what it speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use alb_conf::{Config, Listens, PreferGm, Report, Spanned, Tls};
use alb_core::access::Lists;
use alb_core::endpoint::{Endpoint, Transport};
use alb_core::limit::{self, LimitSet};
use alb_core::listener::ConnectionLimit;
use alb_gm::tls::{Acceptor, AcceptorPolicy, ClientAuth, ClientAuthMode, Identity};
use alb_stream::Service;

use super::identities::Identities;
use super::{Admission, Named, Snapshot, mail, problems, tls};

/// What a worker needs to take a connection.
pub struct Listener {
    /// The name in the configuration.
    pub name: Arc<str>,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Who may connect.
    pub admission: Admission,
    /// TLCP and TLS; `None`: neither.
    pub acceptor: Option<Arc<Acceptor>>,
    /// Counts the connections of all workers.
    pub limit: Arc<ConnectionLimit>,
    /// How many of them there may be.
    pub max_connections: Option<u64>,
    /// Asked before the handshake.
    pub limits: LimitSet,
}

/// What is spoken on a listener, with what that needs.
pub enum Protocol {
    /// HTTP; the tables of the snapshot know the listener by its name.
    Http,
    /// Nothing that is understood: the bytes go to an upstream.
    Stream(Arc<Service>),
    /// Mail; it shakes hands itself, at once or when the client asks for it.
    Mail(Arc<alb_mail::Service>),
}

/// Builds every listener that can be built; what is wrong goes to the report.
pub fn build(
    config: &Config,
    identities: &Identities,
    named: &Named<'_>,
    limits: &mut limit::Builder<'_>,
    previous: Option<&Snapshot>,
    report: &mut Report,
) -> BTreeMap<Endpoint, Arc<Listener>> {
    let services = mail::build(config, named, limits, report);
    // HTTP's limits are asked at accept; a stream asks its own, when it knows the name in the hello.
    let http = config.http.iter().map(|http| {
        let limits = limits.sessions(&http.limits);
        (http.max_connections, limits, Some(Protocol::Http))
    });
    let mut each: Vec<_> = http.collect();
    each.extend(config.stream.iter().map(|stream| {
        let before = previous.and_then(|previous| previous.service(&stream.name()));
        let service = Service::build(
            stream,
            named.upstreams,
            limits.sessions(&stream.limits),
            before,
        );
        let protocol = service.map(|s| Protocol::Stream(Arc::new(s)));
        (stream.max_connections, LimitSet::default(), protocol)
    }));
    let services = config.mail.iter().zip(services);
    each.extend(services.map(|(mail, (limits, service))| {
        (mail.max_connections, limits, service.map(Protocol::Mail))
    }));
    let mut builder = Builder {
        identities,
        lists: named.lists,
        previous,
        report,
        listeners: BTreeMap::new(),
    };
    // In the order of `Config::listeners`.
    for (written, (most, limits, protocol)) in config.listeners().zip(each) {
        builder.add(&written, most, limits, protocol);
    }
    builder.listeners
}

struct Builder<'a> {
    identities: &'a Identities,
    lists: &'a Lists,
    previous: Option<&'a Snapshot>,
    report: &'a mut Report,
    listeners: BTreeMap<Endpoint, Arc<Listener>>,
}

impl Builder<'_> {
    /// Adds a listener, unless something is wrong with it, which has been said.
    fn add(
        &mut self,
        written: &Listens<'_>,
        max_connections: Option<u64>,
        limits: LimitSet,
        protocol: Option<Protocol>,
    ) {
        let Ok(acceptor) = self.acceptor(written) else {
            return;
        };
        let Some(protocol) = protocol else {
            return;
        };
        let name = written.name();
        let limit = self.previous.and_then(|previous| previous.limit_of(&name));
        let listener = Arc::new(Listener {
            name: name.into(),
            protocol,
            admission: Admission::new(written, self.lists),
            acceptor: acceptor.map(Arc::new),
            limit: limit.unwrap_or_default(),
            max_connections,
            limits,
        });
        let transport = match written.is_udp() {
            true => Transport::Udp,
            false => Transport::Tcp,
        };
        for address in written.listen {
            let address = **address;
            let endpoint = Endpoint { transport, address };
            self.listeners.insert(endpoint, Arc::clone(&listener));
        }
    }

    /// `Err` if there is to be one and it cannot be made.
    fn acceptor(&mut self, written: &Listens<'_>) -> Result<Option<Acceptor>, ()> {
        let Some(tls) = written.tls else {
            return Ok(None);
        };
        let alpn = match &tls.alpn {
            Some(names) => tls::texts(names),
            None => written.alpn().into_iter().map(str::to_owned).collect(),
        };
        acceptor(tls, alpn, written.is_mail(), self.identities, self.report)
            .map(Some)
            .ok_or(())
    }
}

fn acceptor(
    written: &Spanned<Tls>,
    alpn: Vec<String>,
    is_mail: bool,
    identities: &Identities,
    report: &mut Report,
) -> Option<Acceptor> {
    let suites = tls::suites(&written.suites, report);
    let groups = tls::groups(&written.groups, report);
    let mut client_auth = client_auth(&written.client_auth, report);
    if let Some(asked) = client_auth.as_mut().filter(|_| is_mail) {
        // A client without a certificate, or with a bad one, is told so in its protocol.
        if asked.mode != ClientAuthMode::Off {
            asked.mode = ClientAuthMode::Told;
        }
    }
    let policy = AcceptorPolicy {
        protocols: tls::protocols(&written.protocols),
        identities: named(&written.identities, identities)?,
        suites: suites?,
        groups: groups?,
        client_auth: client_auth?,
        alpn,
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
    /// The stream services by the names of their listeners; those with several addresses come several times.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        let listeners = self.listeners.values();
        listeners.filter_map(|listener| match &listener.protocol {
            Protocol::Stream(service) => Some(service),
            Protocol::Http | Protocol::Mail(_) => None,
        })
    }

    /// The stream service of a listener.
    pub fn service(&self, name: &str) -> Option<&Service> {
        let mut services = self.services().map(|service| &**service);
        services.find(|service| &*service.name == name)
    }

    fn limit_of(&self, name: &str) -> Option<Arc<ConnectionLimit>> {
        let mut listeners = self.listeners.values();
        let same = listeners.find(|listener| &*listener.name == name)?;
        Some(Arc::clone(&same.limit))
    }
}
