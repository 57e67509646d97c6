//! `[upstream.*]`: groups of peers with their connectors, adopting the state of peers that stay.

use std::collections::HashMap;
use std::sync::Arc;

use alb_conf::{Config, Report, Spanned, UpstreamProtocol, UpstreamTls};
use alb_core::upstream::{Settings, Upstream};
use alb_gm::tls::{Connector, ConnectorPolicy};

use super::identities::Identities;
use super::{Snapshot, problems, tls};

/// Builds every upstream that can be built; what is wrong goes to the report.
pub fn build(
    config: &Config,
    identities: &Identities,
    previous: Option<&Snapshot>,
    report: &mut Report,
) -> HashMap<String, Arc<Upstream>> {
    let mut upstreams = HashMap::new();
    for (name, written) in &config.upstream {
        let tls = match &written.tls {
            None => None,
            Some(tls) => connector(config, name, tls, identities, report).map(Arc::new),
        };
        // One whose connector failed is built all the same, so that nobody calls its name unknown: with an error in
        // the report it is never used.
        let settings = Settings::new(written, tls);
        let before = previous.and_then(|p| p.upstreams.get(name.as_str()));
        let peers = written.peers.clone();
        let upstream = Upstream::new(name, settings, peers, before.map(|u| &**u));
        upstreams.insert(name.to_string(), upstream);
    }
    upstreams
}

fn connector(
    config: &Config,
    name: &str,
    written: &Spanned<UpstreamTls>,
    identities: &Identities,
    report: &mut Report,
) -> Option<Connector> {
    let upstream = config.upstream.get(name)?;
    let suites = tls::suites(&written.suites, report);
    let trust = match written.ca.is_empty() {
        true => Some(None),
        false => tls::trust(&written.ca, &written.crl, report).map(Some),
    };
    let identity = match &written.identity {
        None => None,
        Some(name) => Some(identities.get(name.as_str())?.clone()?),
    };
    let server_name = written.server_name.as_ref();
    let policy = ConnectorPolicy {
        protocols: tls::protocols(&written.protocols),
        identity,
        trust: trust?,
        verify: *written.verify,
        suites: suites?,
        groups: Vec::new(),
        alpn: alpn(config, name, upstream),
        server_name: server_name.map(|name| name.to_string()),
        handshake_timeout: *upstream.connect_timeout,
    };
    match Connector::new(&policy) {
        Ok(connector) => Some(connector),
        Err(error) => {
            report.push(problems::policy(&error, written.span()));
            None
        }
    }
}

/// What is offered as written; else what HTTP needs, where requests go to the upstream.
fn alpn(config: &Config, name: &str, upstream: &alb_conf::Upstream) -> Vec<String> {
    let tls = upstream.tls.as_ref();
    if let Some(written) = tls.and_then(|tls| tls.alpn.as_ref()) {
        return tls::texts(written);
    }
    let mut routes = config.site.iter().flat_map(|site| &site.route);
    let for_http = routes.any(|route| route.proxy.as_ref().is_some_and(|proxy| **proxy == name));
    match (for_http, upstream.protocol) {
        (false, _) => Vec::new(),
        (true, UpstreamProtocol::Http1) => vec!["http/1.1".to_owned()],
        (true, UpstreamProtocol::H2) => vec!["h2".to_owned()],
    }
}
