//! Active checks: settings that fit what is tried, and the TLS they need.

mod deep;

use super::Findings;
use crate::{Diagnostic, Health, HealthKind, Protocol, Spanned, Upstream, UpstreamProtocol};

pub(super) fn check(upstream: &Upstream, findings: &mut Findings<'_>) {
    let Some(health) = &upstream.health else {
        return;
    };
    check_transport(upstream, &health.kind, findings);
    check_answer(health, findings);
    if *health.kind == HealthKind::Grpc && upstream.protocol != UpstreamProtocol::H2 {
        let wrong = Diagnostic::error(health.kind.span(), "`grpc` checks need HTTP/2");
        findings.push(wrong.help("add `protocol = \"h2\"` to the upstream"));
    }
    if health.service.len() > 127 {
        findings.push(Diagnostic::error(
            health.service.span(),
            "the name of a service has 127 bytes at most",
        ));
    }
    deep::check(upstream, health, findings);
    if health.timeout() > health.interval() {
        findings.push(Diagnostic::warning(
            health.span(),
            "a check may take longer than the time between two of them",
        ));
    }
    if !health.path.starts_with('/') || health.path.bytes().any(|b| !(b'!'..0x7f).contains(&b)) {
        findings.push(Diagnostic::error(
            health.path.span(),
            format!("`{}` is not a path: it begins with `/` and has neither spaces nor other than ASCII", &*health.path),
        ));
    }
    if let Some(host) = health
        .host
        .as_ref()
        .filter(|h| h.is_empty() || h.bytes().any(|b| !(b'!'..0x7f).contains(&b)))
    {
        findings.push(Diagnostic::error(
            host.span(),
            format!("`{host}` is not a host"),
        ));
    }
}

/// `tls`, `tlcp` and `https` shake hands with the upstream's own settings.
fn check_transport(upstream: &Upstream, kind: &Spanned<HealthKind>, findings: &mut Findings<'_>) {
    let tls = upstream.tls.as_ref();
    let tlcp = tls.is_some_and(|t| t.protocols.iter().any(|p| **p == Protocol::Tlcp));
    let missing = match **kind {
        HealthKind::Tls => tls.is_none() || tlcp,
        HealthKind::Tlcp => !tlcp,
        HealthKind::Https => tls.is_none(),
        _ => false,
    };
    if missing {
        let word = kind.as_str();
        let wrong = Diagnostic::error(
            kind.span(),
            format!("`{word}` checks use the upstream's `tls`, which does not fit"),
        );
        findings.push(wrong.help(match **kind {
            HealthKind::Tlcp => "add `tls = { protocols = [\"tlcp\"], … }` to the upstream",
            _ => "add `tls` without `tlcp` to the upstream, or choose `http` or `tlcp`",
        }));
    }
}

fn check_answer(health: &Health, findings: &mut Findings<'_>) {
    let word = health.kind.as_str();
    let (statuses, texts) = match *health.kind {
        HealthKind::Http | HealthKind::Https => (true, false),
        HealthKind::Tcp | HealthKind::Tls | HealthKind::Tlcp => (false, true),
        HealthKind::Grpc | HealthKind::Smtp | HealthKind::Imap | HealthKind::Pop3 => (false, false),
    };
    for expect in &health.expect {
        if statuses && expect.statuses().is_none() {
            let wrong = Diagnostic::error(
                expect.span(),
                format!(
                    "`{}` is not a status from 100 to 599 or a range of them",
                    expect.text()
                ),
            );
            findings.push(wrong.help("such as `\"204\"` or `\"200-399\"`"));
        } else if !statuses && !texts {
            findings.push(Diagnostic::error(
                expect.span(),
                format!("`{word}` checks know by themselves what to expect"),
            ));
        }
    }
    if let Some(send) = health.send.as_ref().filter(|_| !texts) {
        findings.push(Diagnostic::error(
            send.span(),
            format!("`{word}` checks know by themselves what to send"),
        ));
    }
}
