//! Listeners: each has an address, and no two want the same one.

use std::net::{IpAddr, SocketAddr};

use super::{Findings, Seen, tls};
use crate::{Config, Diagnostic, Http, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let mut names = Seen::default();
    let mut taken: Vec<&Spanned<SocketAddr>> = Vec::new();
    for http in &config.http {
        if http.listen.is_empty() {
            findings.missing(&http.span(), || no_address(http));
        }
        check_name(http, &mut names, findings);
        for address in &http.listen {
            check_address(address, &taken, findings);
            taken.push(address);
        }
        if *http.max_request_line > *http.max_header_size {
            findings.push(line_above_head(http));
        }
        if let Some(settings) = &http.tls {
            tls::check(config, settings, findings);
        }
        if !has_site(config, &http.name()) {
            let unused = Diagnostic::warning(
                http.span(),
                format!("no site is served on listener `{}`", http.name()),
            );
            findings.missing(&http.span(), || {
                unused.help("add a `[[site]]`; every request is answered with 404 until then")
            });
        }
    }
    if config.http.is_empty() && findings.damaged.is_empty() {
        findings.push(
            Diagnostic {
                severity: crate::Severity::Warning,
                ..Diagnostic::of_file("no listener")
            }
            .help("add an `[[http]]` section with `listen = [\"0.0.0.0:80\"]`"),
        );
    }
}

fn no_address(http: &Spanned<Http>) -> Diagnostic {
    Diagnostic::error(http.span(), "a listener without an address")
        .label("no `listen`")
        .help("add `listen = [\"0.0.0.0:443\"]`")
}

fn line_above_head(http: &Spanned<Http>) -> Diagnostic {
    let message = format!(
        "`max_request_line` ({}) is larger than `max_header_size` ({})",
        http.max_request_line, http.max_header_size
    );
    Diagnostic::error(http.span(), message).help("the head of a request includes its first line")
}

fn check_name(http: &Spanned<Http>, names: &mut Seen<String>, findings: &mut Findings<'_>) {
    let span = match (&http.name, http.listen.first()) {
        (Some(name), _) => name.span(),
        (None, Some(address)) => address.span(),
        (None, None) => return,
    };
    if let Some(first) = names
        .first(http.name(), span.clone())
        .filter(|_| http.name.is_some())
    {
        let taken = Diagnostic::error(
            span.clone(),
            format!("two listeners are named `{}`", http.name()),
        );
        findings.push(taken.related(first, "the first one"));
    }
    if http.name().is_empty() {
        findings.push(Diagnostic::error(span, "an empty name"));
    }
}

fn has_site(config: &Config, name: &str) -> bool {
    config
        .site
        .iter()
        .any(|site| site.on.is_empty() || site.on.iter().any(|on| **on == name))
}

fn check_address(
    address: &Spanned<SocketAddr>,
    taken: &[&Spanned<SocketAddr>],
    findings: &mut Findings<'_>,
) {
    if address.port() == 0 {
        let random = Diagnostic::warning(address.span(), format!("`{address}` has no fixed port"));
        return findings.push(random.label("the system picks one at each start"));
    }
    let Some(other) = taken.iter().find(|other| overlap(address, other)) else {
        return;
    };
    let finding = match address == *other {
        true => Diagnostic::error(address.span(), format!("`{address}` is listened on twice")),
        false => Diagnostic::error(address.span(), format!("`{address}` overlaps `{other}`"))
            .help("keep one of them: the address of all interfaces includes the others"),
    };
    findings.push(finding.related(other.span(), "first listened on here"));
}

/// Whether two listeners would compete for a connection. IPv6 sockets accept IPv6 only, so that `0.0.0.0` and `[::]`
/// go together.
fn overlap(a: &SocketAddr, b: &SocketAddr) -> bool {
    let (ip_a, ip_b): (IpAddr, IpAddr) = (a.ip(), b.ip());
    a.port() == b.port()
        && ip_a.is_ipv4() == ip_b.is_ipv4()
        && (ip_a == ip_b || ip_a.is_unspecified() || ip_b.is_unspecified())
}
