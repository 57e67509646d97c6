//! Sites: hosts that are names, on listeners that exist, each host of a listener once.

use super::{Findings, Seen, hosts, routes};
use crate::suggest::suggest;
use crate::{Config, Diagnostic, Site, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let mut listeners: Vec<String> = config.http.iter().map(|http| http.name()).collect();
    listeners.dedup();
    let mut served = Seen::default();
    for site in &config.site {
        check_listeners(site, &listeners, findings);
        check_hosts(site, &listeners, &mut served, findings);
        if site.route.is_empty() {
            findings.missing(&site.span(), || {
                Diagnostic::error(site.span(), "a site without a route")
                    .help("add a `[[site.route]]` with an action below it")
            });
        }
        findings.refer_access(site.access.as_ref(), config);
        routes::check(config, site, findings);
    }
}

fn check_listeners(site: &Site, listeners: &[String], findings: &mut Findings<'_>) {
    findings.repeated(&site.on);
    for name in site.on.iter().filter(|name| !listeners.contains(name)) {
        let names = || {
            listeners
                .iter()
                .map(String::as_str)
                .filter(|name| !name.is_empty())
        };
        let help = match names().next() {
            None => "add an `[[http]]` section".to_owned(),
            Some(_) => suggest(name, names(), "the listeners are"),
        };
        let unknown = Diagnostic::error(name.span(), format!("unknown listener `{name}`"));
        findings.push(unknown.label("no `[[http]]` has this name").help(help));
    }
}

/// A host of a listener; the empty pattern is every host.
type Served = (String, String);

fn check_hosts(
    site: &Spanned<Site>,
    listeners: &[String],
    served: &mut Seen<Served>,
    findings: &mut Findings<'_>,
) {
    for host in &site.hosts {
        if let Some((reason, help)) = hosts::complaint(host) {
            let bad =
                Diagnostic::error(host.span(), format!("`{host}` is not a host")).label(reason);
            findings.push(bad.help(help));
        }
    }
    let on: Vec<&String> = match site.on.is_empty() {
        true => listeners.iter().collect(),
        false => site.on.iter().map(|name| &**name).collect(),
    };
    let every = Spanned::new(site.span(), String::new());
    let patterns = if site.hosts.is_empty() {
        std::slice::from_ref(&every)
    } else {
        &site.hosts[..]
    };
    for pattern in patterns {
        let host = pattern.to_ascii_lowercase();
        let mut clashes = on.iter().filter_map(|listener| {
            let first = served.first(((*listener).clone(), host.clone()), pattern.span())?;
            // `on` may name a listener twice, which has been reported.
            (first != pattern.span()).then_some((listener, first))
        });
        if let Some((listener, first)) = clashes.next() {
            let what = if host.is_empty() {
                "every host is".to_owned()
            } else {
                format!("`{pattern}` is")
            };
            let twice = Diagnostic::error(
                pattern.span(),
                format!("{what} served twice on listener `{listener}`"),
            );
            findings.push(twice.related(first, "first served here"));
        }
    }
}
