//! Streams: each goes to an upstream that exists, and by names that can be in a hello.

use super::{Findings, hosts};
use crate::{Config, Diagnostic, PeerAddress, Spanned, Stream};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for stream in &config.stream {
        for upstream in stream.upstreams() {
            findings.refer(upstream, "upstream", &config.upstream);
        }
        if stream.upstreams().next().is_none() {
            findings.missing(&stream.span(), || no_upstream(stream));
        }
        check_names(stream, findings);
        match stream.is_udp() {
            true => check_udp(config, stream, findings),
            false => check_tcp(stream, findings),
        }
    }
}

/// What only datagrams have.
fn check_tcp(stream: &Spanned<Stream>, findings: &mut Findings<'_>) {
    let useless = [
        ("responses", stream.responses.is_some()),
        ("requests", stream.requests.is_some()),
    ];
    for (key, _) in useless.into_iter().filter(|(_, set)| *set) {
        let message = format!("`{key}` on a stream of connections");
        let found = Diagnostic::error(stream.span(), message);
        findings.push(found.help(format!("add `protocol = \"udp\"`, or remove `{key}`")));
    }
}

/// What only connections have.
fn check_udp(config: &Config, stream: &Spanned<Stream>, findings: &mut Findings<'_>) {
    for name in &stream.limits {
        check_wait(config, name, findings);
    }
    let mut only_tcp = |place, what: &str| {
        let found = Diagnostic::error(place, format!("{what} with `protocol = \"udp\"`"));
        findings.push(found.help("it works on connections only"));
    };
    if let Some(tls) = &stream.tls {
        only_tcp(tls.span(), "`tls`");
    }
    if let Some(name) = stream.sni.keys().next() {
        only_tcp(name.span(), "`sni`");
    }
    if *stream.proxy_protocol {
        only_tcp(stream.proxy_protocol.span(), "`proxy_protocol`");
    }
    let named = stream.upstream.as_ref();
    let Some(upstream) = named.and_then(|name| config.upstream.get(name.as_str())) else {
        return;
    };
    if let Some(tls) = &upstream.tls {
        only_tcp(tls.span(), "an upstream with `tls`");
    }
    if let Some(version) = &upstream.proxy_protocol {
        only_tcp(version.span(), "an upstream with `proxy_protocol`");
    }
    for peer in &upstream.peers {
        if matches!(*peer.address, PeerAddress::Unix(_)) {
            only_tcp(peer.address.span(), "a peer at a unix socket");
        }
    }
}

/// Datagrams are not held back: what a limit would delay is dropped.
fn check_wait(config: &Config, name: &Spanned<String>, findings: &mut Findings<'_>) {
    let Some(limit) = config.limit.get(name.as_str()) else {
        return;
    };
    if limit.nodelay || limit.burst <= limit.delay {
        return;
    }
    let message = format!("limit `{name}` would make datagrams wait: they are dropped");
    let found = Diagnostic::warning(name.span(), message)
        .label("`burst` without `nodelay` delays, which UDP cannot");
    findings.push(found.help("add `nodelay = true` to the limit, so that a burst passes at once"));
}

fn no_upstream(stream: &Spanned<Stream>) -> Diagnostic {
    Diagnostic::error(stream.span(), "a stream that goes nowhere")
        .label("no `upstream`")
        .help("add `upstream = \"NAME\"` and an `[upstream.NAME]` section")
}

/// The names of `sni`: only an undecrypted hello can be routed by them.
fn check_names(stream: &Stream, findings: &mut Findings<'_>) {
    for name in stream.sni.keys() {
        if let Some((reason, help)) = hosts::complaint(name) {
            let bad = Diagnostic::error(name.span(), format!("`{name}` is not a host"));
            findings.push(bad.label(reason).help(help));
        }
    }
    if let (Some(tls), Some(first)) = (&stream.tls, stream.sni.keys().next()) {
        let both = Diagnostic::error(first.span(), "`sni` on a listener that decrypts");
        let both = both.related(tls.span(), "the handshake ends here");
        findings.push(both.help("leave `tls` out: the peers behind `sni` shake hands themselves"));
    }
}
