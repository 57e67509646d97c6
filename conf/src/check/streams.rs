//! Streams: each goes to an upstream that exists, and by names that can be in a hello.

use super::{Findings, hosts};
use crate::{Config, Diagnostic, Spanned, Stream};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for stream in &config.stream {
        for upstream in stream.upstreams() {
            findings.refer(upstream, "upstream", &config.upstream);
        }
        if stream.upstreams().next().is_none() {
            findings.missing(&stream.span(), || no_upstream(stream));
        }
        check_names(stream, findings);
    }
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
