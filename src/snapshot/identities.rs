//! `[identity.*]`: reads certificates and keys, and holds them against each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alb_conf::{Config, Diagnostic, KeyFile, Report, Span, Spanned};
use alb_gm::tls::{Certified, Identity};
use zeroize::Zeroizing;

use super::problems;

/// The identities by name. One that could not be read is `None`, so that whoever refers to it says nothing more.
pub type Identities = BTreeMap<String, Option<Arc<Identity>>>;

/// Loads every identity; what is wrong goes to the report.
pub fn load(config: &Config, report: &mut Report) -> Identities {
    let mut identities = Identities::new();
    for (name, written) in &config.identity {
        let identity = load_one(name.span(), written, report);
        identities.insert(name.to_string(), identity.map(Arc::new));
    }
    identities
}

fn load_one(whole: Span, written: &alb_conf::Identity, report: &mut Report) -> Option<Identity> {
    let (sign, encrypt) = (&written.sign, &written.encrypt);
    let result = match (sign, encrypt, &written.certificate, &written.key) {
        (Some(sign), Some(encrypt), None, None) => {
            // Both are read before giving up, so that one run tells about both.
            let sign = half(&sign.certificate, &sign.key, &whole, report);
            let encrypt = half(&encrypt.certificate, &encrypt.key, &whole, report);
            Identity::pair(sign?, encrypt?)
        }
        (None, None, Some(certificate), Some(key)) => {
            Identity::ordinary(half(certificate, key, &whole, report)?)
        }
        // The configuration's own check has said what is missing.
        _ => return None,
    };
    match result {
        Ok(identity) => {
            let warnings = identity.warnings().iter();
            report.extend(warnings.map(|w| problems::warning(w, whole.clone())));
            Some(identity)
        }
        Err(error) => {
            report.push(problems::identity(&error, paths(written), whole));
            None
        }
    }
}

fn half(
    certificate: &Spanned<PathBuf>,
    key: &KeyFile,
    whole: &Span,
    report: &mut Report,
) -> Option<Certified> {
    let password = match &key.password_file {
        None => None,
        Some(path) => Some(read_password(path, report)?),
    };
    match Certified::load(certificate, &key.file, password.as_ref()) {
        Ok(certified) => Some(certified),
        Err(error) => {
            let paths = [spanned(certificate), spanned(&key.file)].into_iter();
            report.push(problems::identity(&error, paths, whole.clone()));
            None
        }
    }
}

/// The first line of a password file.
pub fn read_password(path: &Spanned<PathBuf>, report: &mut Report) -> Option<Zeroizing<Vec<u8>>> {
    match std::fs::read(&**path) {
        Ok(text) => {
            let mut text = Zeroizing::new(text);
            let end = text.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let end = end.unwrap_or(text.len());
            text.truncate(end);
            Some(text)
        }
        Err(error) => {
            let message = format!(
                "cannot read the password file `{}`: {error}",
                path.display()
            );
            report.push(Diagnostic::error(path.span(), message));
            None
        }
    }
}

/// Every path of an identity with its place.
fn paths(written: &alb_conf::Identity) -> impl Iterator<Item = (Span, &Path)> {
    let pairs = written.sign.iter().chain(&written.encrypt);
    let pairs = pairs.flat_map(|pair| [spanned(&pair.certificate), spanned(&pair.key.file)]);
    let ordinary = written.certificate.iter().map(spanned);
    let key = written.key.iter().map(|key| spanned(&key.file));
    pairs.chain(ordinary).chain(key)
}

fn spanned(path: &Spanned<PathBuf>) -> (Span, &Path) {
    (path.span(), path)
}
