//! `hotlink` and `secure_link` of routes: referers that can match, links that have a secret.

use super::routes::{check_regex, check_return};
use super::{Findings, hosts};
use crate::{
    Diagnostic, Hotlink, LinkAlgorithm, LinkPart, Referer, Route, SecureLink, Site, Spanned,
};

pub(super) fn check(site: &Site, route: &Route, findings: &mut Findings<'_>) {
    if let Some(hotlink) = &route.hotlink {
        check_hotlink(site, hotlink, findings);
    }
    if let Some(link) = &route.secure_link {
        check_link(link, findings);
    }
}

fn check_hotlink(site: &Site, hotlink: &Spanned<Hotlink>, findings: &mut Findings<'_>) {
    if hotlink.allow.is_empty() {
        findings.missing(&hotlink.span(), || {
            Diagnostic::error(hotlink.span(), "`hotlink` without `allow`")
                .help("write `allow = [\"none\", \"blocked\", \"server_names\"]`")
        });
    }
    findings.repeated(&hotlink.allow);
    for referer in &hotlink.allow {
        check_referer(site, referer, findings);
    }
    if let Some(reply) = &hotlink.reply {
        check_return(reply, findings);
    }
    let names_nobody = |referer: &Spanned<_>| matches!(**referer, Referer::None | Referer::Blocked);
    if !hotlink.allow.is_empty() && hotlink.allow.iter().all(names_nobody) {
        findings.push(
            Diagnostic::warning(
                hotlink.span(),
                "no page may link here, not even the site's own",
            )
            .help("add `\"server_names\"`; nginx does not start with such a list"),
        );
    }
}

fn check_referer(site: &Site, referer: &Spanned<Referer>, findings: &mut Findings<'_>) {
    match &**referer {
        Referer::None | Referer::Blocked => {}
        Referer::ServerNames if site.hosts.is_empty() => findings.push(
            Diagnostic::warning(
                referer.span(),
                "`server_names`, but the site has no `hosts`",
            )
            .help("name the hosts in the site, or here"),
        ),
        Referer::ServerNames => {}
        Referer::Regex(regex) => {
            check_regex(&Spanned::new(referer.span(), regex.clone()), findings);
        }
        Referer::Host { pattern, .. } => {
            if let Some((reason, help)) = hosts::complaint(pattern) {
                let bad = format!("`{pattern}` is not a host");
                findings.push(
                    Diagnostic::error(referer.span(), bad)
                        .label(reason)
                        .help(help),
                );
            }
        }
    }
}

fn check_link(link: &Spanned<SecureLink>, findings: &mut Findings<'_>) {
    match (&link.secret, &link.secret_file) {
        (None, None) => findings.missing(&link.span(), || {
            Diagnostic::error(link.span(), "`secure_link` without a secret")
                .help("write `secret_file = \"link.secret\"`; its first line is the secret")
        }),
        (Some(secret), Some(file)) => findings.push(
            Diagnostic::error(file.span(), "`secure_link` with two secrets")
                .related(secret.span(), "the first")
                .help("keep one of `secret` and `secret_file`"),
        ),
        (Some(secret), None) if secret.0.is_empty() => {
            findings.push(Diagnostic::error(secret.span(), "an empty secret"));
        }
        _ => {}
    }
    findings.repeated(&link.sign);
    if link.sign.is_empty() {
        findings.push(Diagnostic::error(
            link.span(),
            "`sign` is empty: nothing is signed",
        ));
    }
    let signs_path = link.sign.iter().any(|part| **part == LinkPart::Uri);
    if link.expression.is_none() && !signs_path && !link.sign.is_empty() {
        findings.push(
            Diagnostic::warning(link.span(), "a link to one file opens all of them")
                .help("add `\"uri\"` to `sign`"),
        );
    }
    if let Some(expression) = &link.expression {
        check_expression(link.algorithm, expression, findings);
    }
    for name in [&link.signature_argument, &link.expires_argument] {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(good) {
            let bad = format!("`{name}` is not the name of an argument");
            findings.push(Diagnostic::error(name.span(), bad).help("letters, digits, `_` and `-`"));
        }
    }
}

fn check_expression(
    algorithm: LinkAlgorithm,
    expression: &Spanned<String>,
    findings: &mut Findings<'_>,
) {
    if algorithm != LinkAlgorithm::Md5 {
        let other = Diagnostic::error(
            expression.span(),
            "`expression` is for `algorithm = \"md5\"`",
        );
        return findings.push(other.help("say in `sign` what is signed"));
    }
    for (_, variable) in SecureLink::variables(expression) {
        if !variable.is_empty() && !SecureLink::VARIABLES.contains(&variable) {
            let names = SecureLink::VARIABLES.into_iter();
            let help = crate::suggest(variable, names, "the variables here are");
            let unknown = format!("unknown variable `${variable}`");
            findings.push(Diagnostic::error(expression.span(), unknown).help(help));
        }
    }
    if !expression.contains("$secret") {
        findings.push(
            Diagnostic::error(expression.span(), "anybody could make these links")
                .label("no `$secret`"),
        );
    }
}
