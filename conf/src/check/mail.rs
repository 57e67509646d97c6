//! `[[mail]]`: a protocol, servers behind it, and no password where everybody hears it.

use std::net::IpAddr;

use super::Findings;
use crate::{
    Config, Diagnostic, Mail, MailLogin, MailProtocol, MultiPool, PeerAddress, Spanned, TlsMode,
};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for mail in &config.mail {
        if mail.protocol.is_none() {
            let what = Diagnostic::error(mail.span(), "a mail listener without a protocol");
            let help = "add `protocol = \"imap\"`, `\"pop3\"` or `\"smtp\"`";
            findings.missing(&mail.span(), || what.label("no `protocol`").help(help));
        }
        check_upstream(config, mail, findings);
        check_tls(mail, findings);
        check_mx(config, mail, findings);
        check_smtp_only(mail, findings);
        check_verbs(mail, findings);
        check_circle(config, mail, findings);
    }
}

fn check_upstream(config: &Config, mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    let Some(name) = &mail.upstream else {
        let nowhere = Diagnostic::error(mail.span(), "a mail listener without an upstream");
        return findings.missing(&mail.span(), || {
            nowhere
                .label("no `upstream`")
                .help("add `upstream = \"NAME\"` and an `[upstream.NAME]` section")
        });
    };
    findings.refer(name, "upstream", &config.upstream);
}

fn check_tls(mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    if let Some(settings) = &mail.tls {
        if let Some(names) = &settings.alpn {
            let place = names.first().map_or(settings.span(), Spanned::span);
            let useless = Diagnostic::error(place, "a mail listener's `alpn` is its protocol");
            findings.push(useless.help("leave `alpn` out"));
        }
        for address in mail
            .listen
            .iter()
            .filter(|a| mail.tls_mode(a.port()).is_none())
        {
            let unclear = Diagnostic::error(
                address.span(),
                format!("does TLS begin at once on `{address}`, or with STARTTLS?"),
            );
            findings.push(
                unclear
                    .label("the port does not tell")
                    .help("add `mode = \"implicit\"` or `\"starttls\"` to `tls`"),
            );
        }
    }
    if *mail.plaintext_auth {
        let heard = Diagnostic::warning(
            mail.plaintext_auth.span(),
            "passwords may be sent without TLS",
        );
        findings.push(heard.help("anybody on the way to the gateway can read them"));
    } else if mail.smtp.mx.is_none() && mail.tls.is_none() {
        let nobody = Diagnostic::error(
            mail.span(),
            format!("nobody can log in on listener `{}`", mail.name()),
        );
        findings.missing(&mail.span(), || {
            nobody
                .label("no `tls`, and `plaintext_auth` is off")
                .help("add `tls = { identities = [\"NAME\"] }`")
        });
    }
}

/// A server that is one of the addresses mail is listened on: sessions would go round in circles.
fn check_circle(config: &Config, mail: &Mail, findings: &mut Findings<'_>) {
    let peers = config
        .mail_upstreams(mail)
        .flat_map(|(_, upstream)| &upstream.peers);
    for peer in peers {
        let PeerAddress::Ip(server) = &*peer.address else {
            continue;
        };
        let own = config.mail.iter().flat_map(|mail| &mail.listen);
        let own = own.into_iter().find(|own| {
            let any = own.ip().is_unspecified() && is_loopback(server.ip());
            own.port() == server.port() && (any || own.ip() == server.ip())
        });
        if let Some(own) = own {
            let message = format!("the mail server `{server}` is this gateway itself");
            findings.push(
                Diagnostic::error(peer.address.span(), message)
                    .related(own.span(), "it listens here")
                    .help("name the address of the mail server"),
            );
        }
    }
}

/// What counts messages, on a listener that has none.
fn check_smtp_only(mail: &Mail, findings: &mut Findings<'_>) {
    if mail.protocol.as_deref() == Some(&MailProtocol::Smtp) {
        return;
    }
    for name in mail.smtp.limits().filter_map(|names| names.first()) {
        let idle = Diagnostic::error(name.span(), "a limit of messages without SMTP");
        findings.push(idle.help("sessions are limited by `limits`"));
    }
}

/// Commands that make a client somebody else to a server that trusts the gateway, or that turn the connection into another.
const NEVER: [&str; 9] = [
    "XCLIENT", "XFORWARD", "XPROXY", "XEXCH50", "AUTH", "STARTTLS", "TURN", "ATRN", "BURL",
];

fn check_verbs(mail: &Mail, findings: &mut Findings<'_>) {
    for verb in &mail.smtp.extra_verbs {
        if NEVER.iter().any(|never| verb.eq_ignore_ascii_case(never)) {
            let trusted = Diagnostic::error(
                verb.span(),
                format!("clients must never send `{verb}`: servers believe the gateway"),
            );
            findings.push(trusted.help("remove it from `extra_verbs`"));
        }
    }
}

fn check_mx(config: &Config, mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    let Some(mx) = &mail.smtp.mx else {
        return;
    };
    if mail.protocol.as_deref() != Some(&MailProtocol::Smtp) {
        findings.push(
            Diagnostic::error(mx.span(), "`mx` is for `protocol = \"smtp\"`").help("remove it"),
        );
    }
    let source = mail
        .auth
        .as_ref()
        .map(|name| (name, config.mail_auth.get(name.as_str())));
    if let Some((name, Some(auth))) = source
        && auth.http.is_none()
    {
        let idle = format!("`{name}` decides about logins, but nobody logs in");
        findings
            .push(Diagnostic::error(name.span(), idle).help(
                "remove it: only a `mail_auth` with `http` decides about mail without login",
            ));
    }
    if mx.relay_domains.is_empty() {
        let open = Diagnostic::error(mx.span(), "mail without login, for no domain")
            .label("no `relay_domains`");
        findings.missing(&mx.span(), || {
            open.help(
                "name the domains whose mail is taken: without them this would be an open relay",
            )
        });
    }
    if mx.relay_domains.iter().any(|domain| **domain == "*") {
        let open = Diagnostic::error(mx.span(), "`*` in `relay_domains` is an open relay");
        findings.push(open.help("name the domains whose mail is taken"));
    }
    for (domain, upstream) in &mx.upstreams {
        findings.refer(upstream, "upstream", &config.upstream);
        let listed = mx.relay_domains.iter().any(|d| d == domain);
        if !listed {
            let unknown =
                Diagnostic::error(domain.span(), format!("no mail is taken for `{domain}`"));
            findings.push(unknown.help("add it to `relay_domains`"));
        }
    }
    let one = |name: &Spanned<String>| mail.upstream.as_ref() == Some(name);
    if *mx.multi_pool == MultiPool::Fanout && mx.upstreams.values().all(one) {
        let idle = Diagnostic::warning(mx.multi_pool.span(), "all mail goes to one upstream");
        findings.push(idle.help("name upstreams of single domains in `upstreams`, or remove it"));
    }
    if config
        .mail_upstreams(mail)
        .any(|(_, u)| matches!(*u.mail.login, MailLogin::Master))
    {
        findings.push(
            Diagnostic::error(
                mx.span(),
                "servers logged in to as master, but nobody logs in",
            )
            .help("use an upstream with `login = \"none\"`"),
        );
    }
}

pub(super) fn is_remote(address: &PeerAddress) -> bool {
    match address {
        PeerAddress::Ip(address) => !is_loopback(address.ip()),
        PeerAddress::Name(host, _) => host != "localhost",
        PeerAddress::Srv(_) => true,
        PeerAddress::Unix(_) => false,
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// `mode` is for mail listeners.
pub(super) fn no_mode(tls: &crate::Tls, findings: &mut Findings<'_>) {
    if let Some(mode) = &tls.mode {
        let what = match **mode {
            TlsMode::Implicit => "TLS always begins at once here",
            TlsMode::Starttls | TlsMode::Optional => "only mail knows STARTTLS",
        };
        findings.push(Diagnostic::error(mode.span(), what).help("remove `mode`"));
    }
}
