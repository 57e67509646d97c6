//! The servers behind mail listeners: what they are told and logged in by, and whether it crosses a network in the clear.

use std::collections::BTreeSet;

use super::Findings;
use super::mail::is_remote;
use crate::{
    ClientInfo, Config, Diagnostic, Mail, MailLogin, MailProtocol, Spanned, Upstream, UpstreamMail,
};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, upstream) in &config.upstream {
        check_servers(name, upstream, findings);
    }
    let mut told = BTreeSet::new();
    for mail in &config.mail {
        for (name, upstream) in config.mail_upstreams(mail) {
            if let Some(protocol) = mail.protocol.as_deref() {
                check_protocol(*protocol, name, upstream, findings);
            }
            if mail.smtp.mx.is_none() && told.insert(name.as_str()) {
                check_clear(name, upstream, findings);
            }
        }
        check_service(config, mail, findings);
    }
}

/// What servers of another protocol would not understand, and would not be told.
fn check_protocol(
    protocol: MailProtocol,
    name: &Spanned<String>,
    upstream: &Upstream,
    findings: &mut Findings<'_>,
) {
    let is_smtp = protocol == MailProtocol::Smtp;
    let (login, info) = (&upstream.mail.login, upstream.mail.client_info);
    let wrong = match (**login, info) {
        (MailLogin::Xclient, _) if !is_smtp => Some((
            "logs in by XCLIENT, which only SMTP knows".to_owned(),
            "use `login = \"master\"` or `\"password\"`",
        )),
        (MailLogin::None, _) if !is_smtp => Some((
            format!("is not logged in to, which {protocol} does not work without"),
            "use `login = \"password\"`",
        )),
        (_, ClientInfo::Id) if protocol != MailProtocol::Imap => Some((
            format!("is told about clients by ID, which {protocol} does not know"),
            "use `client_info = \"xclient\"`, or `proxy_protocol = \"v2\"` in the upstream",
        )),
        (_, ClientInfo::Xclient) if protocol == MailProtocol::Imap => Some((
            "is told about clients by XCLIENT, which imap does not know".to_owned(),
            "use `client_info = \"id\"`, or `proxy_protocol = \"v2\"` in the upstream",
        )),
        _ => None,
    };
    if let Some((what, help)) = wrong {
        let wrong = Diagnostic::error(name.span(), format!("`{name}` {what}"));
        findings.push(
            wrong
                .related(login.span(), "the upstream's `mail` is here")
                .help(help),
        );
    }
}

fn check_servers(name: &Spanned<String>, upstream: &Upstream, findings: &mut Findings<'_>) {
    let UpstreamMail {
        starttls,
        login,
        master,
        ..
    } = &upstream.mail;
    if **starttls && upstream.tls.is_none() {
        findings.push(
            Diagnostic::error(starttls.span(), "`starttls` without `tls`").help(format!(
                "add `tls = {{ ca = [\"FILE\"] }}` to `[upstream.{name}]`"
            )),
        );
    }
    match (**login, master) {
        (MailLogin::Master, None) => findings.push(
            Diagnostic::error(login.span(), "`login = \"master\"` without a master user")
                .help("add `master = { user = \"NAME\", password_file = \"FILE\" }`"),
        ),
        (MailLogin::Password | MailLogin::Xclient | MailLogin::None, Some(master)) => findings
            .push(
                Diagnostic::warning(master.span(), "a master user that is not used")
                    .help("set `login = \"master\"`"),
            ),
        _ => {}
    }
    if **login == MailLogin::Xclient && upstream.mail.client_info != crate::ClientInfo::Xclient {
        findings.push(Diagnostic::error(
            login.span(),
            "`login = \"xclient\"` needs `client_info = \"xclient\"`",
        ));
    }
}

/// Servers whose password crosses a network in the clear.
fn check_clear(name: &Spanned<String>, upstream: &Upstream, findings: &mut Findings<'_>) {
    if crosses_in_clear(upstream) {
        let clear =
            Diagnostic::warning(name.span(), format!("passwords go to `{name}` without TLS"));
        findings.push(clear.help(format!("add `tls` to `[upstream.{name}]`")));
    }
}

/// A service that is asked about logins so that anybody can hear it.
fn check_service(config: &Config, mail: &Mail, findings: &mut Findings<'_>) {
    let auth = mail.auth.as_ref();
    let auth = auth.and_then(|name| config.mail_auth.get(name.as_str()));
    let service = auth.and_then(|auth| auth.http.as_ref()?.upstream.as_ref());
    if let Some(name) = service
        && let Some(upstream) = config.upstream.get(name.as_str())
    {
        check_clear(name, upstream, findings);
    }
}

fn crosses_in_clear(upstream: &Upstream) -> bool {
    upstream.tls.is_none() && upstream.peers.iter().any(|peer| is_remote(&peer.address))
}
