//! Header fields that routes set, remove and fill with facts about the connection.

use super::{Findings, Seen};
use crate::{Diagnostic, HeaderEdit, Route, Spanned};

pub(super) fn check(route: &Spanned<Route>, findings: &mut Findings<'_>) {
    check_edit(&route.request_headers, findings);
    check_edit(&route.response_headers, findings);
    for name in route.tls_headers.keys() {
        check_name(name, findings);
    }
    check_conflicts(route, findings);
    if route.proxy.is_none() && (route.files.is_some() || route.reply.is_some()) {
        let edit = &route.request_headers;
        let names = edit
            .set
            .keys()
            .chain(&edit.remove)
            .chain(route.tls_headers.keys());
        for name in names {
            findings.push(
                Diagnostic::warning(
                    name.span(),
                    format!("the request header `{name}` goes nowhere"),
                )
                .help("only `proxy` forwards requests"),
            );
        }
    }
}

fn check_edit(edit: &HeaderEdit, findings: &mut Findings<'_>) {
    for (name, value) in &edit.set {
        check_name(name, findings);
        check_value(value, findings);
        // RFC 9112 § 6 and RFC 9110 § 7.6.1: what frames a message or belongs to one connection is not for others to set.
        if OWNED.iter().any(|owned| owned.eq_ignore_ascii_case(name)) {
            findings.push(
                Diagnostic::error(name.span(), format!("`{name}` cannot be set"))
                    .label("belongs to the connection"),
            );
        }
    }
    for name in &edit.remove {
        check_name(name, findings);
    }
}

const OWNED: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Keep-Alive",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "HTTP2-Settings",
];

/// Names that two settings of a route decide, whatever their case.
fn check_conflicts(route: &Route, findings: &mut Findings<'_>) {
    for edit in [&route.request_headers, &route.response_headers] {
        check_unique(edit.set.keys().chain(&edit.remove), findings);
    }
    let facts = route.tls_headers.keys();
    check_unique(facts.chain(route.request_headers.set.keys()), findings);
}

fn check_unique<'r>(names: impl Iterator<Item = &'r Spanned<String>>, findings: &mut Findings<'_>) {
    let mut seen = Seen::default();
    for name in names {
        if let Some(first) = seen.first(name.to_ascii_lowercase(), name.span()) {
            let twice =
                Diagnostic::error(name.span(), format!("the header `{name}` is decided twice"));
            findings.push(twice.related(first, "first here"));
        }
    }
}

/// RFC 9110 § 5.1: a field name is a token.
pub(super) fn check_name(name: &Spanned<String>, findings: &mut Findings<'_>) {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        let bad = Diagnostic::error(name.span(), format!("`{name}` is not the name of a header"));
        findings.push(bad.help("letters, digits and `-`, such as `X-Department`"));
    }
}

/// RFC 9110 § 5.5: a field value has no control characters; a line end in it would begin another field.
pub(super) fn check_value(value: &Spanned<String>, findings: &mut Findings<'_>) {
    if value.chars().any(|c| c.is_control() && c != '\t') {
        findings.push(Diagnostic::error(
            value.span(),
            "a control character in the value of a header",
        ));
    }
}
