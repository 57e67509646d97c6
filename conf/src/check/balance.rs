//! Balancing: keys and cookies that fit the algorithm.

use super::Findings;
use crate::{Balance, Diagnostic, SameSite, Spanned, Sticky, Upstream};

pub(super) fn check(name: &Spanned<String>, upstream: &Upstream, findings: &mut Findings<'_>) {
    let fallback = upstream.sticky.as_ref().map(|sticky| *sticky.fallback);
    let hashes = upstream.balance == Balance::Hash || fallback == Some(Balance::Hash);
    if let Some(key) = upstream.hash_key.as_ref().filter(|_| !hashes) {
        let unused = Diagnostic::warning(
            key.span(),
            format!("`hash_key` of upstream `{name}` is not used"),
        );
        findings.push(unused.help("write `balance = \"hash\"`"));
    }
    if let Some(sticky) = &upstream.sticky {
        if upstream.balance != Balance::Sticky {
            let unused = Diagnostic::warning(
                sticky.span(),
                format!("`sticky` of upstream `{name}` is not used"),
            );
            findings.push(unused.help("write `balance = \"sticky\"`"));
        }
        check_cookie(sticky, findings);
    }
}

fn check_cookie(sticky: &Sticky, findings: &mut Findings<'_>) {
    if *sticky.fallback == Balance::Sticky {
        let circle = Diagnostic::error(
            sticky.fallback.span(),
            "the fallback of `sticky` is `sticky`",
        );
        findings.push(circle.help("choose another, such as `round_robin`"));
    }
    // RFC 6265 § 4.1.1: the name is a token; path and domain end at a semicolon.
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if sticky.name.is_empty() || !sticky.name.bytes().all(token) {
        findings.push(Diagnostic::error(
            sticky.name.span(),
            format!("`{}` is not a name for a cookie", sticky.name),
        ));
    }
    let unfit = |text: &str| {
        text.bytes()
            .any(|b| b == b';' || !(b' '..0x7f).contains(&b))
    };
    if !sticky.path.starts_with('/') || unfit(&sticky.path) {
        findings.push(Diagnostic::error(
            sticky.path.span(),
            format!(
                "`{}` is not a path for a cookie: it begins with `/` and has no `;`",
                sticky.path
            ),
        ));
    }
    if let Some(domain) = sticky.domain.as_ref().filter(|d| d.is_empty() || unfit(d)) {
        findings.push(Diagnostic::error(
            domain.span(),
            format!("`{domain}` is not a domain for a cookie"),
        ));
    }
    if sticky.same_site == SameSite::None && sticky.secure == Some(false) {
        let refused = Diagnostic::warning(
            sticky.name.span(),
            "clients refuse cookies with `same_site = \"none\"` that are not `secure`",
        );
        findings.push(refused.help("write `secure = true`"));
    }
}
