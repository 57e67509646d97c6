//! `[mail_auth.NAME]`, and whether what a listener lets clients prove is proof for the servers behind it.

use regex::Regex;

use super::mail::is_remote;
use super::{Findings, headers};
use crate::{
    ClientAuthMode, Config, Diagnostic, Mail, MailAuth, MailAuthCertificate, MailAuthHttp,
    MailAuthLdap, MailLogin, MailMechanism, MailProtocol, Spanned,
};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, auth) in &config.mail_auth {
        check_source(config, name, auth, findings);
        if !config
            .mail
            .iter()
            .any(|mail| mail.auth.as_ref().is_some_and(|used| used == name))
        {
            let unused =
                Diagnostic::warning(name.span(), format!("mail_auth `{name}` is not used"));
            findings.push(unused.help(format!("write `auth = \"{name}\"` in a `[[mail]]`")));
        }
    }
    for mail in &config.mail {
        if let Some(name) = &mail.auth {
            findings.refer(name, "mail_auth", &config.mail_auth);
        }
        check_mechanisms(config, mail, findings);
        check_trust(config, mail, findings);
    }
}

fn check_source(
    config: &Config,
    name: &Spanned<String>,
    auth: &MailAuth,
    findings: &mut Findings<'_>,
) {
    let sources = [
        auth.http.as_ref().map(Spanned::span),
        auth.file.as_ref().map(Spanned::span),
        auth.ldap.as_ref().map(Spanned::span),
    ];
    let mut sources = sources.into_iter().flatten();
    if let (Some(first), Some(second)) = (sources.next(), sources.next()) {
        let both = Diagnostic::error(second, format!("`{name}` asks two sources"));
        findings.push(
            both.related(first, "the other")
                .help("keep one of `http`, `file` and `ldap`"),
        );
    }
    for upstream in auth.upstreams() {
        findings.refer(upstream, "upstream", &config.upstream);
    }
    if auth.allow_authzid && auth.verifies() {
        let useless = "`allow_authzid` with a source that does not know who may act for whom";
        findings.push(
            Diagnostic::error(name.span(), useless)
                .help("remove it, or let the mail server decide"),
        );
    }
    if let Some(http) = &auth.http {
        check_http(http, findings);
    }
    if let Some(ldap) = &auth.ldap {
        check_ldap(config, ldap, findings);
    }
    if let Some(certificate) = &auth.certificate {
        check_certificate(certificate, findings);
    }
    if let Some(separator) = auth
        .master_separator
        .filter(|c| c.is_alphanumeric() || c.is_control() || *c == '@')
    {
        let odd = Diagnostic::error(name.span(), format!("`{separator}` cannot part two users"));
        findings.push(odd.help("Dovecot's `auth_master_user_separator` is usually `*`"));
    }
}

fn check_http(http: &Spanned<MailAuthHttp>, findings: &mut Findings<'_>) {
    need_upstream(http.span(), http.upstream.as_ref(), findings);
    let visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !http.path.starts_with('/') || !visible(&http.path) {
        let bad = Diagnostic::error(
            http.path.span(),
            format!("`{}` is not the path of a request", http.path),
        );
        findings.push(bad.help("such as `/auth`"));
    }
    if let Some(host) = http
        .host
        .as_ref()
        .filter(|host| host.is_empty() || !visible(host))
    {
        findings.push(Diagnostic::error(
            host.span(),
            format!("`{host}` is not a host"),
        ));
    }
    for (name, value) in &http.headers {
        headers::check_name(name, findings);
        headers::check_value(value, findings);
        if name.to_ascii_lowercase().starts_with("auth-") || name.eq_ignore_ascii_case("host") {
            let ours = Diagnostic::error(name.span(), format!("`{name}` cannot be set"));
            findings.push(ours.label("belongs to the protocol"));
        }
    }
}

fn need_upstream(
    span: crate::Span,
    upstream: Option<&Spanned<String>>,
    findings: &mut Findings<'_>,
) {
    if upstream.is_none() {
        let nowhere =
            Diagnostic::error(span.clone(), "a source without an upstream").label("no `upstream`");
        findings.missing(&span, || {
            nowhere.help("add `upstream = \"NAME\"` and an `[upstream.NAME]` section")
        });
    }
}

fn check_ldap(config: &Config, ldap: &Spanned<MailAuthLdap>, findings: &mut Findings<'_>) {
    need_upstream(ldap.span(), ldap.upstream.as_ref(), findings);
    match (&ldap.bind_dn, &ldap.search) {
        (Some(dn), Some(_)) => findings.push(
            Diagnostic::error(dn.span(), "both a name to bind with and a search for it")
                .help("keep one"),
        ),
        (None, None) => {
            let none = Diagnostic::error(ldap.span(), "no way to find whom to bind as");
            findings.missing(&ldap.span(), || {
                none.help("add `bind_dn = \"uid={local},ou=people,dc=example\"`, or `search`")
            });
        }
        (Some(dn), None) => check_template(dn, findings),
        (None, Some(search)) => check_template(&search.filter, findings),
    }
    if let (Some(attribute), None) = (&ldap.upstream_attribute, &ldap.search) {
        findings.push(
            Diagnostic::error(attribute.span(), "`upstream_attribute` without `search`")
                .help("only a search reads attributes"),
        );
    }
    let Some(name) = &ldap.upstream else { return };
    let Some(upstream) = config.upstream.get(name.as_str()) else {
        return;
    };
    let remote = upstream.peers.iter().any(|peer| is_remote(&peer.address));
    if upstream.tls.is_none() && (ldap.starttls || remote) {
        let clear = "passwords would go to the directory in the clear";
        let help = format!("add `tls = {{ ca = [\"FILE\"] }}` to `[upstream.{name}]`");
        findings.push(Diagnostic::error(name.span(), clear).help(help));
    }
}

/// Placeholders that stand for the user: there, and none that mean nothing.
fn check_template(template: &Spanned<String>, findings: &mut Findings<'_>) {
    let mut rest = template.as_str();
    let mut found = false;
    while let Some((_, tail)) = rest.split_once('{') {
        let (name, tail) = tail.split_once('}').unwrap_or((tail, ""));
        if !["user", "local", "domain"].contains(&name) {
            let unknown =
                Diagnostic::error(template.span(), format!("`{{{name}}}` stands for nothing"));
            return findings
                .push(unknown.help("the placeholders are `{user}`, `{local}` and `{domain}`"));
        }
        found |= name != "domain";
        rest = tail;
    }
    if !found {
        let same = Diagnostic::error(template.span(), "the same for every user");
        findings.push(same.help("use `{user}` or `{local}`"));
    }
}

fn check_certificate(certificate: &Spanned<MailAuthCertificate>, findings: &mut Findings<'_>) {
    let from = &certificate.from;
    let known = ["email", "common-name", "serial"].contains(&from.as_str());
    let oid = from.contains('.')
        && from
            .split('.')
            .all(|arc| !arc.is_empty() && arc.bytes().all(|b| b.is_ascii_digit()));
    if !known && !oid {
        let unknown =
            Diagnostic::error(from.span(), format!("`{from}` is no part of a certificate"));
        findings.push(
            unknown.help(
                "`email`, `common-name`, `serial`, or an object identifier such as `2.5.4.5`",
            ),
        );
    }
    if let Some(pattern) = &certificate.pattern
        && let Err(error) = Regex::new(pattern)
    {
        findings.push(Diagnostic::error(
            pattern.span(),
            format!("not a regular expression: {error}"),
        ));
    }
}

fn check_mechanisms(config: &Config, mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    findings.repeated(&mail.mechanisms);
    let auth = mail
        .auth
        .as_ref()
        .and_then(|name| config.mail_auth.get(name.as_str()));
    for mechanism in &mail.mechanisms {
        match **mechanism {
            MailMechanism::External => check_external(mail, auth, mechanism, findings),
            MailMechanism::CramMd5 | MailMechanism::Apop => {
                check_digest(mail, auth, mechanism, findings);
            }
            MailMechanism::Plain | MailMechanism::Login => {}
            MailMechanism::Ntlm => {
                warn_of_md5(mechanism, findings);
                check_passed_through(mail, auth, mechanism, findings);
            }
            MailMechanism::Xoauth2
            | MailMechanism::Oauthbearer
            | MailMechanism::ScramSha1
            | MailMechanism::ScramSha256
            | MailMechanism::Gssapi => check_passed_through(mail, auth, mechanism, findings),
        }
    }
}

fn warn_of_md5(place: &Spanned<MailMechanism>, findings: &mut Findings<'_>) {
    let weak = Diagnostic::warning(place.span(), format!("`{place}` is made of MD5"));
    findings.push(weak.help("MD5 is broken and no GM algorithm; use `plain` within TLS or TLCP"));
}

/// Answers to a challenge of ours, which only who has the clear password can check.
fn check_digest(
    mail: &Spanned<Mail>,
    auth: Option<&MailAuth>,
    place: &Spanned<MailMechanism>,
    findings: &mut Findings<'_>,
) {
    warn_of_md5(place, findings);
    if auth.is_none_or(|auth| auth.http.is_none() && auth.file.is_none()) {
        let unknown = Diagnostic::error(place.span(), format!("nobody can check `{place}`"));
        findings
            .push(unknown.help("it needs the clear password: a `mail_auth` with `http` or `file`"));
    }
    let is_pop3 = mail.protocol.as_deref() == Some(&MailProtocol::Pop3);
    if **place == MailMechanism::Apop && !is_pop3 {
        let other = Diagnostic::error(place.span(), "only POP3 has `apop`");
        findings.push(other.help("use `cram-md5`"));
    }
}

/// Mechanisms whose proof only the mail server understands.
fn check_passed_through(
    mail: &Spanned<Mail>,
    auth: Option<&MailAuth>,
    place: &Spanned<MailMechanism>,
    findings: &mut Findings<'_>,
) {
    if auth.is_some_and(MailAuth::verifies) {
        let name = mail.auth.as_ref().map_or("", |name| name.as_str());
        let other = Diagnostic::error(
            place.span(),
            format!("`{place}` can be checked by the mail server only"),
        );
        findings.push(other.help(format!(
            "remove it, or let the server decide: no `http`, `file` or `ldap` in `{name}`"
        )));
    }
}

/// EXTERNAL: there must be a certificate, somebody it stands for, and a way to be that user at the servers.
fn check_external(
    mail: &Spanned<Mail>,
    auth: Option<&MailAuth>,
    place: &Spanned<MailMechanism>,
    findings: &mut Findings<'_>,
) {
    let asked = mail
        .tls
        .as_ref()
        .is_some_and(|tls| *tls.client_auth.mode != ClientAuthMode::Off);
    if !asked {
        let never = Diagnostic::error(place.span(), "`external` where no certificate is asked for");
        findings
            .push(never.help("set `tls.client_auth = { mode = \"optional\", ca = [\"FILE\"] }`"));
    }
    if auth.is_none_or(|auth| auth.certificate.is_none() && auth.http.is_none()) {
        let nobody = Diagnostic::error(
            place.span(),
            "`external` without a user for the certificate",
        );
        findings.push(nobody.help("name a `mail_auth` with `certificate = {}`"));
    }
}

/// Servers that believe the gateway: then the gateway itself must have verified the user.
fn check_trust(config: &Config, mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    if mail.smtp.mx.is_some() {
        return;
    }
    let auth = mail
        .auth
        .as_ref()
        .and_then(|name| config.mail_auth.get(name.as_str()));
    let verifies = auth.is_some_and(MailAuth::verifies);
    let only_external = !mail.mechanisms.is_empty()
        && mail
            .mechanisms
            .iter()
            .all(|mechanism| **mechanism == MailMechanism::External);
    let Some(name) = &mail.upstream else { return };
    let routes = auth
        .into_iter()
        .flat_map(|auth| auth.users.values().chain(auth.domains.values()));
    for name in std::iter::once(name).chain(routes) {
        let Some(upstream) = config.upstream.get(name.as_str()) else {
            continue;
        };
        let believes = *upstream.mail.login != MailLogin::Password;
        if believes && !verifies && !only_external {
            let open =
                Diagnostic::error(name.span(), format!("anybody could be anybody at `{name}`"))
                    .related(
                        upstream.mail.login.span(),
                        "these servers take the gateway's word",
                    );
            findings.push(open.help("name a `mail_auth` with `http`, `file` or `ldap` in `auth`, or use `login = \"password\"`"));
        }
        let http = auth.is_some_and(|auth| auth.http.is_some());
        let external = mail
            .mechanisms
            .iter()
            .find(|mechanism| ***mechanism == MailMechanism::External);
        if let Some(mechanism) = external.filter(|_| !believes && !http) {
            let none = Diagnostic::error(
                mechanism.span(),
                format!("a certificate is no password for `{name}`"),
            );
            findings.push(
                none.help("log in there with `login = \"master\"`, or `\"xclient\"` for Postfix"),
            );
        }
    }
}
