//! `alb cert expiry`: how long the certificates and lists of a configuration still hold.

use std::path::{Path, PathBuf};

use alb_certs::crl::Crl;
use alb_certs::time::{DAY, Time};
use alb_certs::{Certificate, files};
use alb_conf::Config;
use clap::Args;
use serde::Serialize;

use super::super::{Common, Exit, check};
use super::{Done, output};

/// The arguments of `alb cert expiry`.
#[derive(Args)]
pub struct ExpiryArguments {
    /// Fail if something holds for fewer days than this
    #[arg(long, default_value_t = 30)]
    days: i64,
}

/// A certificate or list of the configuration.
#[derive(Serialize)]
struct Line {
    days_left: Option<i64>,
    until: String,
    used_by: String,
    what: String,
    file: PathBuf,
}

/// Prints the table; the exit code is 1 if something ends within the threshold or cannot be read.
pub fn expiry(common: &Common, arguments: &ExpiryArguments) -> Done {
    let loaded = match alb_conf::load(&common.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            check::render(&report);
            return Ok(Exit::Config);
        }
    };
    let mut lines = Vec::new();
    for (used_by, path) in files_of(&loaded.config) {
        lines.extend(read(&used_by, &path, Time::now()));
    }
    lines.sort_by_key(|line| line.days_left);
    let due = |line: &Line| line.days_left.is_none_or(|days| days < arguments.days);
    let exit = if lines.iter().any(due) {
        Exit::Failed
    } else {
        Exit::Done
    };
    if common.json {
        output::json(&lines)?;
        return Ok(exit);
    }
    let rows: Vec<_> = lines.into_iter().map(row).collect();
    output::table(&["DAYS LEFT", "UNTIL", "USED BY", "WHAT", "FILE"], &rows);
    Ok(exit)
}

fn row(line: Line) -> Vec<String> {
    let days = match line.days_left {
        Some(days) if days < 0 => "EXPIRED".to_owned(),
        Some(days) => days.to_string(),
        None => "?".to_owned(),
    };
    vec![
        days,
        line.until,
        line.used_by,
        line.what,
        line.file.display().to_string(),
    ]
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
    for http in &config.http {
        let Some(tls) = &http.tls else { continue };
        let name = http.name.as_ref().map(|name| name.to_string());
        let name = name
            .or_else(|| http.listen.first().map(|address| address.to_string()))
            .unwrap_or_default();
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
        return vec![line(list.next_update, format!("list of {}", list.issuer))];
    }
    match Certificate::from_pem_or_der(&bytes) {
        Ok(all) => all
            .into_iter()
            .map(|one| line(Some(one.validity.not_after), one.subject.to_string()))
            .collect(),
        Err(error) => vec![line(None, error.in_file(path).to_string())],
    }
}
