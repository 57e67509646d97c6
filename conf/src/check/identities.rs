//! Identities: either a whole SM2 pair or an ordinary certificate with its key, and used by somebody.

use super::Findings;
use crate::{Config, Diagnostic, Identity, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, identity) in &config.identity {
        check_whole(name, identity, findings);
        if !is_used(config, name) {
            let unused = Diagnostic::warning(name.span(), format!("identity `{name}` is not used"));
            findings.push(unused.help(
                "name it in `identities` of a listener's `tls`, or in `tls.identity` of an upstream",
            ));
        }
    }
}

const FORMS: &str = "give it `sign` and `encrypt` (an SM2 pair), or `certificate` and `key`";

fn check_whole(name: &Spanned<String>, identity: &Identity, findings: &mut Findings<'_>) {
    let Identity {
        sign,
        encrypt,
        certificate,
        key,
    } = identity;
    let pair = sign.is_some() || encrypt.is_some();
    let ordinary = certificate.is_some() || key.is_some();
    if pair && ordinary {
        let both = Diagnostic::error(
            name.span(),
            format!("identity `{name}` is both an SM2 pair and an ordinary certificate"),
        );
        return findings.push(both.help("make it two identities; a listener can name both"));
    }
    let missing = match (pair, ordinary) {
        (false, false) => return findings.missing(&name.span(), || empty(name)),
        (true, _) if encrypt.is_none() => "encrypt",
        (true, _) if sign.is_none() => "sign",
        (_, true) if key.is_none() => "key",
        (_, true) if certificate.is_none() => "certificate",
        _ => return,
    };
    findings.missing(&name.span(), || {
        Diagnostic::error(name.span(), format!("identity `{name}` has no `{missing}`")).help(FORMS)
    });
}

fn empty(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(name.span(), format!("identity `{name}` is empty")).help(FORMS)
}

fn is_used(config: &Config, name: &str) -> bool {
    let listeners = config.listeners().filter_map(|listener| listener.tls);
    let upstreams = config
        .upstream
        .values()
        .filter_map(|upstream| upstream.tls.as_ref());
    listeners
        .flat_map(|tls| &tls.identities)
        .chain(upstreams.filter_map(|tls| tls.identity.as_ref()))
        .any(|used| **used == name)
}
