//! `[mail_policy.NAME]`: what it refers to, and whether it can be kept.

use super::Findings;
use crate::{Config, Diagnostic, Mail, MailAlert, MailPolicy, MailProtocol, Spanned};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (name, policy) in &config.mail_policy {
        check_quarantine(config, name, policy, findings);
        check_lists(policy, findings);
        if let Some(alert) = &policy.alert {
            check_alert(config, alert, findings);
        }
        if *policy.hide_client_ip && !policy.received {
            let useless = Diagnostic::warning(
                policy.hide_client_ip.span(),
                "`hide_client_ip` where no `Received` is added",
            );
            findings.push(useless.help("remove it, or `received = false`"));
        }
        let used = |mail: &Spanned<Mail>| mail.smtp.policy.as_ref().is_some_and(|p| p == name);
        if !config.mail.iter().any(used) {
            let unused =
                Diagnostic::warning(name.span(), format!("mail_policy `{name}` is not used"));
            findings.push(unused.help(format!(
                "write `smtp = {{ policy = \"{name}\" }}` in a `[[mail]]`"
            )));
        }
    }
    for mail in &config.mail {
        check_listener(config, mail, findings);
    }
}

fn check_quarantine(
    config: &Config,
    name: &Spanned<String>,
    policy: &MailPolicy,
    findings: &mut Findings<'_>,
) {
    match (&policy.quarantine, policy.holds_back()) {
        (Some(upstream), Some(_)) => findings.refer(upstream, "upstream", &config.upstream),
        (Some(upstream), None) => {
            findings.refer(upstream, "upstream", &config.upstream);
            let unused = Diagnostic::warning(upstream.span(), "a quarantine that nothing goes to");
            findings.push(unused.help("set `action = \"quarantine\"`, or `encrypted`"));
        }
        (None, Some(place)) => findings.missing(&name.span(), || {
            Diagnostic::error(place, "messages are held back, but nowhere")
                .label("no `quarantine`")
                .help("add `quarantine = \"NAME\"` and an `[upstream.NAME]` section")
        }),
        (None, None) => {}
    }
}

fn check_lists(policy: &MailPolicy, findings: &mut Findings<'_>) {
    findings.repeated(&policy.deny_extensions);
    findings.repeated(&policy.deny_types);
    for extension in &policy.deny_extensions {
        if extension.is_empty() || extension.contains(['.', '*', '/', ' ']) {
            let wrong = Diagnostic::error(
                extension.span(),
                format!("`{extension}` is no ending of a name"),
            );
            findings.push(wrong.help("write it without a dot: `\"exe\"`"));
        }
    }
    for kind in &policy.deny_types {
        let parts = kind.split_once('/');
        if !parts.is_some_and(|(kind, sub)| !kind.is_empty() && !sub.is_empty()) {
            let wrong = Diagnostic::error(kind.span(), format!("`{kind}` is no type"));
            findings.push(wrong.help("write `\"application/zip\"` or `\"video/*\"`"));
        }
    }
}

fn check_alert(config: &Config, alert: &Spanned<MailAlert>, findings: &mut Findings<'_>) {
    match &alert.upstream {
        Some(upstream) => findings.refer(upstream, "upstream", &config.upstream),
        None => findings.missing(&alert.span(), || {
            Diagnostic::error(alert.span(), "alerts, but no server that takes them")
                .label("no `upstream`")
                .help("add `upstream = \"NAME\"` and an `[upstream.NAME]` section")
        }),
    }
    if alert.to.is_empty() || alert.from.is_none() {
        findings.missing(&alert.span(), || {
            Diagnostic::error(alert.span(), "alerts from nobody, or to nobody")
                .help("add `from = \"ADDRESS\"` and `to = [\"ADDRESS\"]`")
        });
    }
    for address in alert.to.iter().chain(&alert.from) {
        let parts = address.rsplit_once('@');
        let odd =
            address.contains(|c: char| c.is_whitespace() || c.is_control() || "<>,".contains(c));
        if odd || !parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty()) {
            let wrong = Diagnostic::error(address.span(), format!("`{address}` is no address"));
            findings.push(wrong.help("write `\"security@gov.example\"`"));
        }
    }
}

fn check_listener(config: &Config, mail: &Spanned<Mail>, findings: &mut Findings<'_>) {
    let Some(name) = &mail.smtp.policy else {
        return;
    };
    findings.refer(name, "mail_policy", &config.mail_policy);
    if mail
        .protocol
        .as_deref()
        .is_some_and(|p| *p != MailProtocol::Smtp)
    {
        let wrong = Diagnostic::error(name.span(), "a policy is for `protocol = \"smtp\"`");
        findings.push(wrong.help("remove it"));
    }
    let Some(policy) = config.mail_policy.get(name.as_str()) else {
        return;
    };
    if let (Some(from), Some(_)) = (&policy.from, &mail.smtp.mx) {
        let nobody = "the author must be the user, but nobody logs in";
        let nobody = Diagnostic::error(name.span(), nobody).related(from.span(), "`from` is here");
        findings.push(nobody.help("use a policy without `from`"));
    }
    if mail.smtp.max_size > policy.disk || policy.in_memory > policy.memory {
        let small = Diagnostic::error(name.span(), "a policy without room for one message");
        findings.push(small.help(format!(
            "make its `disk` at least `{}`, the listener's `max_size`, and `memory` at least `in_memory`",
            mail.smtp.max_size
        )));
    }
}
