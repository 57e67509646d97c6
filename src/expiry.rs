//! How long the certificates and lists of a configuration still hold: for `alb cert expiry`, and for the daemon's log.

use std::path::{Path, PathBuf};

use alb_certs::crl::Crl;
use alb_certs::time::{DAY, Time};
use alb_certs::{Certificate, files};
use alb_conf::Config;
use serde::Serialize;

/// Whatever holds for fewer days than this is pointed out.
pub const SOON: i64 = 30;

/// A certificate or list of the configuration.
#[derive(Serialize)]
pub struct Line {
    /// Whole days until it ends, negative if it has ended; none if it has no end or cannot be read.
    pub days_left: Option<i64>,
    /// When it ends.
    pub until: String,
    /// The identity, listener or upstream.
    pub used_by: String,
    /// Its subject, or the issuer of a list; or why it cannot be read.
    pub what: String,
    /// Where it is.
    pub file: PathBuf,
    /// It is a revocation list, which ends soon by its nature.
    #[serde(skip)]
    pub list: bool,
}

/// Reads everything the configuration names; what ends first comes first.
pub fn lines(config: &Config, now: Time) -> Vec<Line> {
    let mut lines = Vec::new();
    for (used_by, path) in files_of(config) {
        lines.extend(read(&used_by, &path, now));
    }
    lines.sort_by_key(|line| line.days_left);
    lines
}

/// Every certificate and list a configuration names, with who uses it.
fn files_of(config: &Config) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for (name, identity) in &config.identity {
        let user = format!("identity {}", name.as_str());
        let halves = [&identity.sign, &identity.encrypt]
            .into_iter()
            .flatten()
            .map(|pair| &pair.certificate);
        files.extend(
            halves
                .chain(&identity.certificate)
                .map(|path| (user.clone(), path.to_path_buf())),
        );
    }
    for listener in config.listeners() {
        let Some(tls) = listener.tls else { continue };
        let name = listener.name();
        let all = tls.client_auth.ca.iter().chain(&tls.client_auth.crl);
        files.extend(all.map(|path| (format!("clients of {name}"), path.to_path_buf())));
    }
    for (name, upstream) in &config.upstream {
        let Some(tls) = &upstream.tls else { continue };
        let all = tls.ca.iter().chain(&tls.crl);
        files.extend(all.map(|path| (format!("upstream {}", name.as_str()), path.to_path_buf())));
    }
    files
}

fn read(used_by: &str, path: &Path, now: Time) -> Vec<Line> {
    let line = |until: Option<Time>, what: String| Line {
        list: false,
        days_left: until.map(|until| (until.unix() - now.unix()).div_euclid(DAY)),
        until: until.map_or_else(|| "never".to_owned(), |until| until.to_string()),
        used_by: used_by.to_owned(),
        what,
        file: path.to_path_buf(),
    };
    let bytes = match files::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return vec![line(None, error.to_string())],
    };
    if let Ok(list) = Crl::from_pem_or_der(&bytes) {
        let what = format!("list of {}", list.issuer);
        return vec![Line {
            list: true,
            ..line(list.next_update, what)
        }];
    }
    match Certificate::from_pem_or_der(&bytes) {
        Ok(all) => all
            .into_iter()
            .map(|one| line(Some(one.validity.not_after), one.subject.to_string()))
            .collect(),
        Err(error) => vec![line(None, error.in_file(path).to_string())],
    }
}
