//! Access lists: used by somebody, deny somebody, and have no rule that is never reached. Who may send PROXY headers.

use super::Findings;
use crate::{Access, AccessRule, AccessVerdict, Config, Diagnostic, Prefix, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, access) in &config.access {
        check_list(name, access, findings);
        if !is_used(config, name) {
            let unused =
                Diagnostic::warning(name.span(), format!("access list `{name}` is not used"));
            findings.push(unused.help(format!(
                "write `access = \"{name}\"` in a listener, a site or a route"
            )));
        }
    }
}

/// The addresses of a listener's proxies, and whether a PROXY header can come from anybody.
pub(super) fn check_proxies(
    proxy_protocol: &Spanned<bool>,
    trusted: &[Spanned<Prefix>],
    findings: &mut Findings<'_>,
) {
    findings.repeated(trusted);
    trusted
        .iter()
        .for_each(|prefix| check_bits(prefix, prefix, findings));
    if **proxy_protocol && trusted.is_empty() {
        findings.push(
            Diagnostic::error(
                proxy_protocol.span(),
                "`proxy_protocol` without `trusted_proxies`",
            )
            .label("every connection would be refused")
            .help("name those who send the header, such as `trusted_proxies = [\"10.0.0.5\"]`"),
        );
    }
}

fn check_list(name: &Spanned<String>, access: &Access, findings: &mut Findings<'_>) {
    let Access { rules, files } = access;
    if rules.is_empty() && files.is_empty() {
        return findings.missing(&name.span(), || {
            Diagnostic::error(name.span(), format!("access list `{name}` is empty"))
                .help("give it `rules = [\"allow 10.0.0.0/8\", \"deny all\"]`, or `files`")
        });
    }
    let denies = |rule: &Spanned<AccessRule>| matches!(rule.verdict, AccessVerdict::Deny);
    if files.is_empty() && !rules.iter().any(denies) {
        findings.missing(&name.span(), || {
            Diagnostic::warning(name.span(), format!("access list `{name}` denies nobody"))
                .label("whom no rule matches is let in")
                .help("end the rules with `\"deny all\"`")
        });
    }
    findings.repeated(rules);
    for rule in rules {
        if let Some(prefix) = &rule.who {
            check_bits(rule, prefix, findings);
        }
    }
    if let Some(end) = rules.iter().position(|rule| rule.who.is_none())
        && let Some(dead) = rules.get(end + 1)
    {
        let dead = Diagnostic::warning(dead.span(), format!("`{}` is never reached", **dead));
        findings.push(dead.related(rules[end].span(), "this matches everybody"));
    }
}

/// A prefix with bits behind its length: `10.1.2.3/8` is `10.0.0.0/8`, and perhaps meant otherwise.
fn check_bits<T>(place: &Spanned<T>, prefix: &Prefix, findings: &mut Findings<'_>) {
    if let Some(meant) = prefix.without_host_bits() {
        let more = Diagnostic::warning(
            place.span(),
            format!("`{prefix}` stands for all of `{meant}`"),
        );
        findings.push(more.help(format!("write `{meant}`, or the address alone")));
    }
}

fn is_used(config: &Config, name: &str) -> bool {
    let routes = config.site.iter().flat_map(|site| &site.route);
    let listeners = config.listeners().filter_map(|listener| listener.access);
    listeners
        .chain(config.site.iter().filter_map(|site| site.access.as_ref()))
        .chain(routes.filter_map(|route| route.access.as_ref()))
        .any(|used| **used == name)
}
