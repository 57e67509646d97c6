//! What the machine must provide: the user, the directories. Looks, and changes nothing.

use std::path::PathBuf;

use alb_conf::{Config, Diagnostic, Report, Spanned};

use crate::supervisor::privileges::{Account, may_bind_low_ports};

/// Checks what the configuration expects of the machine.
pub fn check(config: &Config, report: &mut Report) {
    if let Some(user) = &config.daemon.user {
        check_user(user, report);
    }
    let log = &config.log;
    let files = config.daemon.pid_file.iter().chain(&log.file);
    let files = files.chain(log.access.iter().map(|access| &access.file));
    for file in files.chain(log.mail.iter().map(|mail| &mail.file)) {
        check_directory(file, report);
    }
    if !may_bind_low_ports() {
        check_ports(config, report);
    }
}

fn check_user(user: &Spanned<String>, report: &mut Report) {
    let (message, help) = match Account::find(user) {
        Ok(Some(_)) => return,
        Ok(None) => (
            format!("there is no user `{user}`"),
            format!("create it with `useradd --system {user}`, or leave `user` out"),
        ),
        Err(error) => (
            format!("cannot look up the user `{user}`: {error}"),
            "check the name service of this machine".to_owned(),
        ),
    };
    report.push(Diagnostic::error(user.span(), message).help(help));
}

fn check_directory(file: &Spanned<PathBuf>, report: &mut Report) {
    let Some(directory) = file.parent() else {
        return;
    };
    if !directory.is_dir() {
        let message = format!("the directory `{}` does not exist", directory.display());
        let help = format!("create it with `mkdir -p {}`", directory.display());
        report.push(Diagnostic::error(file.span(), message).help(help));
    } else if file.is_dir() {
        let message = format!("`{}` is a directory, not a file", file.display());
        report.push(Diagnostic::error(file.span(), message).help("name a file in it"));
    }
}

/// A warning only: the check may be run by another user than the daemon.
fn check_ports(config: &Config, report: &mut Report) {
    let first_free = first_unprivileged_port();
    let addresses = config.listeners().flat_map(|listener| listener.listen);
    for address in addresses.filter(|a| a.port() > 0 && a.port() < first_free) {
        let message = format!(
            "this user may not bind port {}: those below {first_free} need a privilege",
            address.port()
        );
        let diagnostic = Diagnostic::warning(address.span(), message);
        report.push(diagnostic.help("start alb as root or with CAP_NET_BIND_SERVICE"));
    }
}

/// `net.ipv4.ip_unprivileged_port_start`; 1024 unless somebody changed it.
fn first_unprivileged_port() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1024)
}
