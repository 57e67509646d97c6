//! Logs: each has a file of its own, since each is rotated by itself.

use super::Findings;
use crate::{Config, Diagnostic};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let log = &config.log;
    let access = log.access.as_ref().map(|access| &access.file);
    let mail = log.mail.as_ref().map(|mail| &mail.file);
    let Some(mail) = mail else { return };
    let others = log.file.iter().chain(access);
    for other in others.filter(|other| ***other == **mail) {
        let shared = Diagnostic::error(mail.span(), "two logs with one file");
        findings.push(
            shared
                .related(other.span(), "the other one")
                .help("give the audit log of mail a file of its own"),
        );
    }
    if config.mail.is_empty() {
        let idle = Diagnostic::warning(mail.span(), "an audit log of mail, without mail");
        findings.push(idle.help("add a `[[mail]]` listener, or remove `[log.mail]`"));
    }
}
