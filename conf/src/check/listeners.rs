//! Listeners: each has an address, and no two want the same one.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Findings, Seen, access, tls};
use crate::{Config, Diagnostic, Http, Listens, Severity, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let mut names = Seen::default();
    // TCP and UDP ports are apart.
    let mut taken: BTreeMap<bool, Taken<'_>> = BTreeMap::new();
    for listener in config.listeners() {
        check_name(&listener, &mut names, findings);
        if listener.listen.is_empty() {
            findings.missing(&listener.span(), || no_address(&listener));
        }
        for address in listener.listen {
            check_address(
                address,
                taken.entry(listener.is_udp()).or_default(),
                findings,
            );
        }
        findings.refer_access(listener.access, config);
        if let Some(expected) = listener.proxy_protocol {
            access::check_proxies(expected, listener.trusted_proxies, findings);
        }
        if let Some(settings) = listener.tls {
            tls::check(config, settings, listener.is_http(), findings);
            if !listener.is_mail() {
                super::mail::no_mode(settings, findings);
            }
        }
    }
    for http in &config.http {
        if *http.max_request_line > *http.max_header_size {
            findings.push(line_above_head(http));
        }
        if !has_site(config, &http.name()) {
            findings.missing(&http.span(), || no_site(http));
        }
    }
    if config.listeners().next().is_none() && findings.damaged.is_empty() {
        findings.push(no_listener());
    }
}

fn no_listener() -> Diagnostic {
    let nothing = Diagnostic {
        severity: Severity::Warning,
        ..Diagnostic::of_file("no listener")
    };
    nothing.help(
        "add an `[[http]]`, `[[stream]]` or `[[mail]]` section with `listen = [\"0.0.0.0:80\"]`",
    )
}

fn no_site(http: &Spanned<Http>) -> Diagnostic {
    let message = format!("no site is served on listener `{}`", http.name());
    let help = "add a `[[site]]`; every request is answered with 404 until then";
    Diagnostic::warning(http.span(), message).help(help)
}

fn no_address(listener: &Listens<'_>) -> Diagnostic {
    Diagnostic::error(listener.span(), "a listener without an address")
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

fn check_name(listener: &Listens<'_>, names: &mut Seen<String>, findings: &mut Findings<'_>) {
    let span = match (listener.name, listener.listen.first()) {
        (Some(name), _) => name.span(),
        (None, Some(address)) => address.span(),
        (None, None) => return,
    };
    if let Some(first) = names
        .first(listener.name(), span.clone())
        .filter(|_| listener.name.is_some())
    {
        let taken = Diagnostic::error(
            span.clone(),
            format!("two listeners are named `{}`", listener.name()),
        );
        findings.push(taken.related(first, "the first one"));
    }
    if listener.name().is_empty() {
        findings.push(Diagnostic::error(span, "an empty name"));
    }
}

fn has_site(config: &Config, name: &str) -> bool {
    config
        .site
        .iter()
        .any(|site| site.on.is_empty() || site.on.iter().any(|on| **on == name))
}

/// The addresses of the listeners so far. IPv6 sockets accept IPv6 only, so that `0.0.0.0` and `[::]` go together, and
/// an address only competes with those of its port and family.
#[derive(Default)]
struct Taken<'c> {
    each: BTreeMap<SocketAddr, &'c Spanned<SocketAddr>>,
    of_all_interfaces: BTreeMap<(u16, bool), &'c Spanned<SocketAddr>>,
    first: BTreeMap<(u16, bool), &'c Spanned<SocketAddr>>,
}

impl<'c> Taken<'c> {
    /// Notes an address; one that competes with it for connections, if there is any.
    fn by(&mut self, address: &'c Spanned<SocketAddr>) -> Option<&'c Spanned<SocketAddr>> {
        let kind = (address.port(), address.is_ipv4());
        let all = address.ip().is_unspecified();
        let others = if all {
            &self.first
        } else {
            &self.of_all_interfaces
        };
        let other = self.each.get(&**address).or(others.get(&kind)).copied();
        self.each.entry(**address).or_insert(address);
        self.first.entry(kind).or_insert(address);
        if all {
            self.of_all_interfaces.entry(kind).or_insert(address);
        }
        other
    }
}

fn check_address<'c>(
    address: &'c Spanned<SocketAddr>,
    taken: &mut Taken<'c>,
    findings: &mut Findings<'_>,
) {
    if address.port() == 0 {
        let random = Diagnostic::warning(address.span(), format!("`{address}` has no fixed port"));
        return findings.push(random.label("the system picks one at each start"));
    }
    let Some(other) = taken.by(address) else {
        return;
    };
    let finding = match address == other {
        true => Diagnostic::error(address.span(), format!("`{address}` is listened on twice")),
        false => Diagnostic::error(address.span(), format!("`{address}` overlaps `{other}`"))
            .help("keep one of them: the address of all interfaces includes the others"),
    };
    findings.push(finding.related(other.span(), "first listened on here"));
}
