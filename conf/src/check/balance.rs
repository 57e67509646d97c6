//! Balancing: keys and cookies that fit the algorithm, and peers that clients belong to.

use super::{Findings, Seen};
use crate::{Balance, Diagnostic, HashPeers, PeerAddress, SameSite, Spanned, Sticky, Upstream};

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
    check_hosts(name, upstream, hashes, findings);
    check_homes(name, upstream, findings);
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

/// `hash_peers = "host"`: a host has one place on the ring.
fn check_hosts(
    name: &Spanned<String>,
    upstream: &Upstream,
    hashes: bool,
    findings: &mut Findings<'_>,
) {
    let by = &upstream.hash_peers;
    if **by != HashPeers::Host {
        return;
    }
    if !hashes {
        let unused = Diagnostic::warning(
            by.span(),
            format!("`hash_peers` of upstream `{name}` is not used"),
        );
        return findings.push(unused.help("write `balance = \"hash\"`"));
    }
    let mut seen = Seen::default();
    for peer in &upstream.peers {
        let host = match &*peer.address {
            PeerAddress::Ip(address) => address.ip().to_canonical().to_string(),
            PeerAddress::Name(host, _) => host.clone(),
            PeerAddress::Srv(_) | PeerAddress::Unix(_) => continue,
        };
        if let Some(first) = seen.first(host.clone(), peer.address.span()) {
            let twice = Diagnostic::error(
                peer.address.span(),
                format!(
                    "the host `{host}` is listed twice, and `hash_peers = \"host\"` has one place for it"
                ),
            );
            let twice = twice.related(first, "first listed here");
            findings
                .push(twice.help("give one of them a `weight` instead, or leave out `hash_peers`"));
        }
    }
}

/// `failover = false`: every client belongs to one peer, and nothing may change which.
fn check_homes(name: &Spanned<String>, upstream: &Upstream, findings: &mut Findings<'_>) {
    let homes = matches!(upstream.balance, Balance::Hash | Balance::IpHash);
    let moves = homes && *upstream.failover;
    if !upstream.mail.rehome.is_zero() && !moves {
        let unused = Diagnostic::warning(
            name.span(),
            format!("`mail.rehome` of upstream `{name}` is not used"),
        );
        findings.push(unused.help(
            "sessions are moved where `balance` is `hash` or `ip_hash` and `failover` is not `false`",
        ));
    }
    if *upstream.failover {
        return;
    }
    let here = upstream.failover.span();
    if !homes {
        let wrong = Diagnostic::error(
            here.clone(),
            format!(
                "no peer of upstream `{name}` is a client's own, so that `failover` cannot be `false`"
            ),
        );
        findings
            .push(wrong.help("write `balance = \"hash\"` (or `ip_hash`), or leave out `failover`"));
    }
    for peer in &upstream.peers {
        let address = &peer.address;
        let (wrong, help) = match &**address {
            _ if peer.backup => (
                format!("`{address}` is a backup, and with `failover = false` none may serve"),
                "remove `backup = true`, or leave out `failover`",
            ),
            PeerAddress::Name(..) | PeerAddress::Srv(_) => (
                format!(
                    "`{address}` is a name: what it resolves to may change, and clients would change their peer"
                ),
                "write the address, or leave out `failover`",
            ),
            PeerAddress::Ip(_) | PeerAddress::Unix(_) => continue,
        };
        let wrong = Diagnostic::error(address.span(), wrong);
        findings.push(wrong.related(here.clone(), "`failover = false`").help(help));
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
