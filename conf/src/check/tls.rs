//! `[http.tls]`: the protocols, the identities they need, and who may be a client.

use super::Findings;
use crate::{ClientAuthMode, Config, Diagnostic, Identity, Protocol, Spanned, Tls};

pub(super) fn check(config: &Config, tls: &Spanned<Tls>, http: bool, findings: &mut Findings<'_>) {
    if tls.identities.is_empty() {
        findings.missing(&tls.span(), || no_identities(tls));
    }
    for name in &tls.identities {
        findings.refer(name, "identity", &config.identity);
    }
    findings.repeated(&tls.identities);
    findings.repeated(&tls.protocols);
    findings.repeated(&tls.suites);
    findings.repeated(&tls.groups);
    check_protocols(config, tls, findings);
    check_client_auth(tls, findings);
    findings.repeated(tls.alpn.as_deref().unwrap_or_default());
    if http {
        check_alpn(tls, findings);
    }
}

fn no_identities(tls: &Spanned<Tls>) -> Diagnostic {
    let found =
        Diagnostic::error(tls.span(), "TLCP and TLS without an identity").label("no `identities`");
    found.help("add `identities = [\"NAME\"]` and an `[identity.NAME]` section")
}

/// TLCP needs an SM2 pair, TLS 1.2 an ordinary certificate; TLS 1.3 takes either (RFC 8998).
fn check_protocols(config: &Config, tls: &Tls, findings: &mut Findings<'_>) {
    let found: Vec<&Identity> = tls
        .identities
        .iter()
        .filter_map(|name| config.identity.get(name.as_str()))
        .collect();
    if found.is_empty() || found.len() < tls.identities.len() {
        return;
    }
    for protocol in &tls.protocols {
        let (served, needs) = match **protocol {
            Protocol::Tlcp => (
                found.iter().any(|identity| identity.is_pair()),
                "an SM2 pair (`sign` and `encrypt`)",
            ),
            Protocol::Tls12 => (
                found.iter().any(|identity| !identity.is_pair()),
                "an ordinary certificate (`certificate` and `key`)",
            ),
            Protocol::Tls13 => (true, ""),
        };
        if !served {
            let unserved =
                Diagnostic::error(protocol.span(), format!("no identity for `{protocol}`"));
            findings.push(
                unserved
                    .label(format!("needs {needs}"))
                    .help("add such an identity, or leave the protocol out"),
            );
        }
    }
}

fn check_client_auth(tls: &Spanned<Tls>, findings: &mut Findings<'_>) {
    let auth = &tls.client_auth;
    match *auth.mode {
        ClientAuthMode::Off => {
            if let Some(path) = auth.ca.first().or(auth.crl.first()) {
                let unused =
                    Diagnostic::warning(path.span(), "client certificates are not asked for");
                findings.push(
                    unused
                        .label("not used")
                        .help("set `mode = \"required\"` or `\"optional\"`"),
                );
            }
        }
        ClientAuthMode::Optional | ClientAuthMode::Required if auth.ca.is_empty() => {
            let span = auth.mode.span();
            findings.missing(&tls.span(), || {
                let nobody = Diagnostic::error(
                    span,
                    "client certificates are asked for, but nobody is trusted to issue them",
                );
                nobody.help("add `ca = [\"FILE\"]` to `client_auth`")
            });
        }
        ClientAuthMode::Optional | ClientAuthMode::Required => {}
    }
}

const ALPN: [&str; 2] = ["h2", "http/1.1"];

fn check_alpn(tls: &Tls, findings: &mut Findings<'_>) {
    let names = tls.alpn.iter().flatten();
    for name in names.filter(|name| !ALPN.contains(&name.as_str())) {
        let unknown = Diagnostic::error(
            name.span(),
            format!("unknown application protocol `{name}`"),
        );
        findings.push(unknown.help(crate::suggest::suggest(
            name,
            ALPN.into_iter(),
            "the protocols here are",
        )));
    }
}
