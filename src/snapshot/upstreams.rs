//! `[upstream.*]`: groups of peers with their connectors, adopting the state of peers that stay.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use alb_conf::{Balance, Config, Diagnostic, Report, Spanned, UpstreamProtocol, UpstreamTls};
use alb_core::health::Check;
use alb_core::upstream::sticky::{Key, Sticky};
use alb_core::upstream::{Settings, Upstream};
use alb_gm::tls::{Connector, ConnectorPolicy};
use alb_mail::Learned;
use alb_mail::secret::Secret;

use super::identities::{Identities, read_password};
use super::{Snapshot, problems, tls};

/// Builds every upstream that can be built; what is wrong goes to the report.
pub fn build(
    config: &Config,
    identities: &Identities,
    learned: &HashMap<String, Arc<Learned>>,
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
        let before = previous.and_then(|p| p.upstreams.get(name.as_str()));
        let mut settings = Settings::new(written, tls);
        let check = match alb_mail::health::check(
            written,
            settings.tls.as_ref(),
            learned.get(name.as_str()),
            password(written, report),
        ) {
            Some(mail) => Check::new(written, Some(mail)),
            None => alb_http::health::check(written),
        };
        if let Some(check) = check {
            settings = settings.with_health(check);
        }
        if let Some(sticky) = sticky(name, written, before, report) {
            settings = settings.with_sticky(sticky);
        }
        let peers = written.peers.clone();
        let upstream = Upstream::new(name, settings, peers, before.map(|u| &**u));
        upstreams.insert(name.to_string(), upstream);
    }
    upstreams
}

/// The password of the account of deep checks.
fn password(written: &alb_conf::Upstream, report: &mut Report) -> Option<Secret> {
    let deep = written.health.as_ref()?.deep.as_ref()?;
    let password = read_password(deep.password_file.as_ref()?, report)?;
    Some(Secret::copy_of(&password))
}

/// The cookies of an upstream that has them: with the key of the file, else that of before, else a new one.
fn sticky(
    name: &str,
    written: &alb_conf::Upstream,
    before: Option<&Arc<Upstream>>,
    report: &mut Report,
) -> Option<Sticky> {
    let defaults = || Spanned::from(alb_conf::Sticky::default());
    if written.balance != Balance::Sticky {
        return None;
    }
    let cookie = written.sticky.clone().unwrap_or_else(defaults);
    let before = before.and_then(|upstream| upstream.settings().sticky.clone());
    let drawn = before.filter(|b| b.cookie.key_file.is_none());
    let key = match (&cookie.key_file, drawn) {
        (Some(file), _) => read_key(file, report)?,
        (None, Some(before)) => before.key(),
        (None, None) => match Key::random() {
            Ok(key) => key,
            Err(error) => {
                let message = format!("no random numbers for the cookies of `{name}`: {error}");
                report.push(Diagnostic::error(cookie.span(), message));
                return None;
            }
        },
    };
    Some(Sticky::new(name, cookie.into_inner(), key))
}

fn read_key(file: &Spanned<PathBuf>, report: &mut Report) -> Option<Key> {
    let wrong = match std::fs::read(&**file).map(Key::new) {
        Ok(Some(key)) => return Some(key),
        Ok(None) => Diagnostic::error(file.span(), "the key has fewer than 16 bytes")
            .help("make one with `openssl rand -hex 32`"),
        Err(error) => Diagnostic::error(
            file.span(),
            format!("cannot read the key file `{}`: {error}", file.display()),
        ),
    };
    report.push(wrong);
    None
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
    let pins = tls::pins(&written.pins, report);
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
        pins: pins?,
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
