//! Upstreams: peers that differ, and TLS settings that fit together.

use super::{Findings, Seen, balance, health};
use crate::{
    Config, Diagnostic, MailPolicy, PeerAddress, Protocol, Spanned, Upstream, UpstreamTls,
};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, upstream) in &config.upstream {
        check_peers(name, upstream, findings);
        balance::check(name, upstream, findings);
        health::check(upstream, findings);
        if let Some(tls) = &upstream.tls {
            check_tls(config, upstream, tls, findings);
        }
        check_header(config, name, upstream, findings);
        if !is_used(config, name) {
            let unused = Diagnostic::warning(name.span(), format!("upstream `{name}` is not used"));
            findings.push(unused.help(format!(
                "write `proxy = \"{name}\"` in a route, or `upstream = \"{name}\"` in a listener"
            )));
        }
    }
}

fn is_used(config: &Config, name: &str) -> bool {
    let routes = config.site.iter().flat_map(|site| &site.route);
    let mut mails = config.mail.iter();
    let streams = config.stream.iter().flat_map(|stream| stream.upstreams());
    routes
        .filter_map(|route| route.proxy.as_ref())
        .chain(streams)
        .any(|used| **used == name)
        || mails.any(|mail| mail.names_upstream(name))
        || config
            .mail_auth
            .values()
            .any(|auth| auth.may_name_upstream(name))
        || config
            .mail_policy
            .values()
            .flat_map(MailPolicy::upstreams)
            .any(|used| **used == name)
}

/// Requests of many clients share a connection: a header at its beginning cannot tell whose they are.
fn check_header(
    config: &Config,
    name: &Spanned<String>,
    upstream: &Upstream,
    findings: &mut Findings<'_>,
) {
    let Some(version) = &upstream.proxy_protocol else {
        return;
    };
    let mut routes = config.site.iter().flat_map(|site| &site.route);
    let proxy = routes.find_map(|route| route.proxy.as_ref().filter(|proxy| ***proxy == **name));
    if let Some(proxy) = proxy {
        let wrong = Diagnostic::error(version.span(), "a PROXY header on connections of HTTP");
        let wrong = wrong.related(proxy.span(), "requests of many clients go over them");
        findings.push(wrong.help("use `forwarded` in the route, or another upstream for streams"));
    }
}

fn check_peers(name: &Spanned<String>, upstream: &Upstream, findings: &mut Findings<'_>) {
    let peers = &upstream.peers;
    if peers.is_empty() {
        findings.missing(&name.span(), || {
            Diagnostic::error(name.span(), format!("upstream `{name}` has no peers"))
                .help("add `peers = [\"HOST:PORT\"]`")
        });
    } else if peers.iter().all(|peer| peer.down || peer.drain) {
        findings.push(Diagnostic::warning(
            name.span(),
            format!("every peer of upstream `{name}` is down or drained"),
        ));
    } else if peers.iter().all(|peer| peer.backup) {
        findings.push(Diagnostic::warning(
            name.span(),
            format!("every peer of upstream `{name}` is a backup"),
        ));
    }
    let mut seen = Seen::default();
    for peer in peers {
        let address = &peer.address;
        if let Some(first) = seen.first(&**address, address.span()) {
            let twice = Diagnostic::error(
                address.span(),
                format!("the peer `{address}` is listed twice"),
            );
            findings.push(
                twice
                    .related(first, "first listed here")
                    .help("give one of them a `weight` instead"),
            );
        }
    }
}

fn check_tls(
    config: &Config,
    upstream: &Upstream,
    tls: &Spanned<UpstreamTls>,
    findings: &mut Findings<'_>,
) {
    findings.repeated(&tls.protocols);
    findings.repeated(&tls.suites);
    findings.repeated(&tls.pins);
    findings.repeated(tls.alpn.as_deref().unwrap_or_default());
    let tlcp = tls
        .protocols
        .iter()
        .find(|protocol| ***protocol == Protocol::Tlcp);
    let other = tls
        .protocols
        .iter()
        .find(|protocol| ***protocol != Protocol::Tlcp);
    if let (Some(tlcp), Some(other)) = (tlcp, other) {
        let both = Diagnostic::error(other.span(), format!("`{other}` beside `tlcp`"))
            .related(tlcp.span(), "the other");
        findings.push(both.help("one handshake offers either; choose what the peers speak"));
    }
    if let Some(identity) = &tls.identity {
        findings.refer(identity, "identity", &config.identity);
        let ordinary = config
            .identity
            .get(identity.as_str())
            .is_some_and(|found| !found.is_pair());
        if tlcp.is_some() && ordinary {
            let wrong = Diagnostic::error(
                identity.span(),
                format!("identity `{identity}` cannot be used in TLCP"),
            );
            findings.push(
                wrong
                    .label("an ordinary certificate")
                    .help("TLCP needs an SM2 pair (`sign` and `encrypt`)"),
            );
        }
    }
    check_verification(upstream, tls, tlcp.is_some(), findings);
}

fn check_verification(
    upstream: &Upstream,
    tls: &Spanned<UpstreamTls>,
    tlcp: bool,
    findings: &mut Findings<'_>,
) {
    if !*tls.verify {
        if !tls.pins.is_empty() {
            return;
        }
        let open = Diagnostic::warning(
            tls.verify.span(),
            "the peers' certificates are not verified",
        );
        return findings.push(
            open.help("anybody between the gateway and the peers can read and change everything; name a `ca`, or at least the peers' keys in `pins`"),
        );
    }
    if tlcp && tls.ca.is_empty() {
        let nobody =
            Diagnostic::warning(tls.span(), "TLCP to the peers, but no authority to trust");
        findings.missing(&tls.span(), || {
            nobody.help("add `ca = [\"FILE\"]`: systems bring no SM2 authorities")
        });
    }
    let nameless = upstream
        .peers
        .iter()
        .find(|peer| matches!(*peer.address, PeerAddress::Unix(_)));
    if let Some(peer) = nameless.filter(|_| tls.server_name.is_none()) {
        let finding = Diagnostic::error(
            peer.address.span(),
            format!("no name to verify the certificate of `{}` by", peer.address),
        );
        findings.missing(&tls.span(), || finding.help("add `server_name` to `tls`"));
    }
    if let Some(name) = &tls.server_name
        && (name.contains('*') || super::hosts::complaint(name).is_some())
    {
        findings.push(Diagnostic::error(
            name.span(),
            format!("`{name}` is not a host"),
        ));
    }
}
