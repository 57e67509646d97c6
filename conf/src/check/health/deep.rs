//! `deep` of active checks: an account, and what fits the protocol; no password where everybody hears it.

use crate::check::{Findings, mail};
use crate::{Deep, Diagnostic, Health, HealthKind, Spanned, Upstream};

/// Longest name and address, in bytes; SMTP takes no longer path (RFC 5321 § 4.5.3.1.3).
const LONGEST: usize = 254;

pub(super) fn check(upstream: &Upstream, health: &Spanned<Health>, findings: &mut Findings<'_>) {
    let Some(deep) = &health.deep else { return };
    if !health.kind.is_mail() {
        let word = health.kind.as_str();
        let wrong = Diagnostic::error(
            deep.span(),
            format!("`{word}` checks have no account to log in by"),
        );
        return findings
            .push(wrong.help("remove `deep`, or set `kind` to `imap`, `pop3` or `smtp`"));
    }
    check_account(health, deep, findings);
    check_envelope(health, deep, findings);
    check_words(deep, findings);
    check_clear(upstream, deep, findings);
}

fn check_account(health: &Health, deep: &Spanned<Deep>, findings: &mut Findings<'_>) {
    let missing = match (&deep.user, &deep.password_file) {
        (None, Some(file)) => Some((file.span(), "a password without a user", "user = \"NAME\"")),
        (Some(user), None) => Some((
            user.span(),
            "a user without a password",
            "password_file = \"FILE\"",
        )),
        (None, None) if *health.kind != HealthKind::Smtp => Some((
            deep.span(),
            "a deep check without an account",
            "user = \"NAME\", password_file = \"FILE\"",
        )),
        _ => None,
    };
    if let Some((place, what, add)) = missing {
        findings.push(Diagnostic::error(place, what).help(format!("add `{add}` to `deep`")));
    }
}

/// Who sends and who receives, for SMTP only.
fn check_envelope(health: &Health, deep: &Spanned<Deep>, findings: &mut Findings<'_>) {
    if *health.kind == HealthKind::Smtp {
        if deep.recipient.is_none() {
            let nobody = Diagnostic::error(deep.span(), "a deep check of SMTP without a recipient");
            findings.push(nobody.help(
                "add `recipient = \"NAME@DOMAIN\"`, an address the server must take; no message is sent",
            ));
        }
        return;
    }
    for address in [&deep.sender, &deep.recipient].into_iter().flatten() {
        let word = health.kind.as_str();
        let wrong = format!("`{word}` checks name neither sender nor recipient");
        findings.push(
            Diagnostic::error(address.span(), wrong).help("remove it: it is for `kind = \"smtp\"`"),
        );
    }
}

/// Words that become part of a command.
fn check_words(deep: &Deep, findings: &mut Findings<'_>) {
    if let Some(user) = &deep.user
        && (user.is_empty() || user.len() > LONGEST || user.chars().any(char::is_control))
    {
        let wrong = Diagnostic::error(
            user.span(),
            format!("`{}` is not a user", user.escape_debug()),
        );
        findings.push(wrong.help("a name has 1 to 254 bytes and no control characters"));
    }
    for address in [&deep.sender, &deep.recipient].into_iter().flatten() {
        let odd = |b: u8| !(b'!'..=b'~').contains(&b) || matches!(b, b'<' | b'>');
        let whole = address
            .rsplit_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
        if !whole || address.len() > LONGEST || address.bytes().any(odd) {
            let wrong = format!("`{}` is not a mail address", address.escape_debug());
            findings.push(
                Diagnostic::error(address.span(), wrong)
                    .help("write `NAME@DOMAIN`: ASCII, without spaces and angle brackets"),
            );
        }
    }
}

/// A password that would be sent to a network every few seconds.
fn check_clear(upstream: &Upstream, deep: &Deep, findings: &mut Findings<'_>) {
    let Some(file) = &deep.password_file else {
        return;
    };
    let remote = upstream.peers.iter();
    let remote = remote
        .map(|peer| &peer.address)
        .find(|a| mail::is_remote(a));
    if let Some(peer) = remote.filter(|_| upstream.tls.is_none()) {
        let heard = Diagnostic::error(
            file.span(),
            format!(
                "the password of the checks goes to `{}` without TLS",
                **peer
            ),
        );
        findings.push(
            heard
                .related(peer.span(), "a server across a network")
                .help("add `tls` to the upstream, with `mail = { starttls = true }` where it begins so"),
        );
    }
}
