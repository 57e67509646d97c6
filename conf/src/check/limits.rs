//! Limits: each limits something, its keys belong together, and what refers to it can count by its key.

use super::Findings;
use crate::{Config, Diagnostic, KeySource, Limit, MailSmtp, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, limit) in &config.limit {
        check_limit(name, limit, findings);
        if !is_used(config, name) {
            let unused = Diagnostic::warning(name.span(), format!("limit `{name}` is not used"));
            findings.push(unused.help(format!(
                "write `limits = [\"{name}\"]` in a listener, a site or a route"
            )));
        }
    }
    for listener in config.listeners() {
        check_references(config, listener.limits, findings);
    }
    for http in &config.http {
        for name in &http.limits {
            check_key_at_accept(config, name, findings);
        }
    }
    for mail in &config.mail {
        for names in mail.smtp.limits() {
            check_references(config, names, findings);
            names
                .iter()
                .for_each(|name| check_counts(config, name, findings));
        }
        check_apart(&mail.smtp, findings);
    }
    for site in &config.site {
        check_references(config, &site.limits, findings);
        for route in &site.route {
            check_references(config, &route.limits, findings);
        }
    }
}

/// Every place that names limits.
fn references(config: &Config) -> impl Iterator<Item = &Spanned<String>> {
    let listeners = config.listeners().flat_map(|listener| listener.limits);
    let sites = config.site.iter().flat_map(|site| &site.limits);
    let routes = config.site.iter().flat_map(|site| &site.route);
    let messages = config.mail.iter().flat_map(|mail| mail.smtp.limits());
    listeners
        .chain(sites)
        .chain(messages.flatten())
        .chain(routes.flat_map(|route| &route.limits))
}

fn is_used(config: &Config, name: &str) -> bool {
    references(config).any(|reference| **reference == name)
}

/// Names in a `limits` list: known, and each once.
pub(super) fn check_references(
    config: &Config,
    names: &[Spanned<String>],
    findings: &mut Findings<'_>,
) {
    findings.repeated(names);
    for name in names {
        findings.refer(name, "limit", &config.limit);
    }
}

/// When an HTTP connection is accepted nothing is known but its addresses.
fn check_key_at_accept(config: &Config, name: &Spanned<String>, findings: &mut Findings<'_>) {
    let Some(limit) = config.limit.get(name.as_str()) else {
        return;
    };
    let unknown = limit
        .key
        .sources()
        .iter()
        .find(|source| !matches!(source, KeySource::All | KeySource::ClientIp { .. }));
    if let Some(source) = unknown {
        let message =
            format!("limit `{name}` counts by `{source}`, which a listener does not know");
        findings.push(
            Diagnostic::error(name.span(), message)
                .related(limit.key.span(), "its key")
                .help("a listener's limits count connections: name this one in a site or a route"),
        );
    }
}

/// What counts messages and recipients needs something to count.
fn check_counts(config: &Config, name: &Spanned<String>, findings: &mut Findings<'_>) {
    let Some(limit) = config.limit.get(name.as_str()) else {
        return;
    };
    if limit.rate.is_none() && limit.requests.is_none() {
        let message = format!("limit `{name}` counts no messages");
        let idle = Diagnostic::error(name.span(), message);
        findings.push(idle.help("add `rate`, or `requests` with `per`"));
    }
}

/// A limit that counted messages and recipients in one would count neither.
fn check_apart(smtp: &MailSmtp, findings: &mut Findings<'_>) {
    let messages = smtp.message_limits.iter().flatten();
    for name in smtp.recipient_limits.iter().flatten() {
        if let Some(same) = messages.clone().find(|other| ***other == **name) {
            let message = format!("limit `{name}` would count messages and recipients together");
            findings.push(
                Diagnostic::error(name.span(), message)
                    .related(same.span(), "it counts messages here")
                    .help("write a limit for each"),
            );
        }
    }
}

fn check_limit(name: &Spanned<String>, limit: &Limit, findings: &mut Findings<'_>) {
    let mut wrong = |message: &str, help: &str| {
        let finding = Diagnostic::error(name.span(), format!("limit `{name}` {message}"));
        findings.missing(&name.span(), || finding.help(help));
    };
    if !limit.has_effect() {
        wrong(
            "limits nothing",
            "add one of `rate`, `requests` with `per`, `connections`, `bandwidth` and `bandwidth_per_key`",
        );
    }
    match (limit.requests, limit.per) {
        (Some(_), None) => wrong("has `requests` without `per`", "add `per = \"1h\"`"),
        (None, Some(_)) => wrong("has `per` without `requests`", "add `requests = 1000`"),
        _ => {}
    }
    if limit.rate.is_none() && (limit.burst > 0 || limit.delay > 0 || limit.nodelay) {
        wrong(
            "has `burst`, `delay` or `nodelay` without `rate`",
            "add `rate = \"100/s\"`",
        );
    }
    if limit.nodelay && limit.delay > 0 {
        wrong(
            "has both `delay` and `nodelay`",
            "`nodelay` lets the whole `burst` pass at once, `delay` a part of it: keep one",
        );
    } else if limit.delay > limit.burst {
        wrong(
            "has a `delay` above its `burst`",
            "more than `burst` early requests are refused: `delay` has no effect beyond it",
        );
    }
    if limit.bandwidth.is_none() && *limit.bandwidth_after > 0 {
        wrong(
            "has `bandwidth_after` without `bandwidth`",
            "add `bandwidth = \"2MiB/s\"`",
        );
    }
}
