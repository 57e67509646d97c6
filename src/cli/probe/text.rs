//! The report for people.

use std::fmt::Write;

use super::findings::{Findings, Refused, Report, Response, Shown};

/// A certificate that ends within so many days is pointed out.
const SOON: i64 = 30;

/// Renders the report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let address = report
        .address
        .as_deref()
        .map(|a| format!(" ({a})"))
        .unwrap_or_default();
    // Writing to a String does not fail.
    let _ = writeln!(out, "{}{address}, as {}", report.server, report.server_name);
    for findings in &report.protocols {
        let _ = protocol(&mut out, findings);
    }
    out
}

fn protocol(out: &mut String, findings: &Findings) -> std::fmt::Result {
    if let Some(refused) = &findings.refused {
        return not_spoken(out, findings, refused);
    }
    writeln!(out, "\n{}: spoken", findings.protocol)?;
    if let Some(chosen) = &findings.chosen {
        line(out, "chosen", chosen.suite)?;
        line(out, "alpn", chosen.alpn.as_deref().unwrap_or("none"))?;
        if let Some(group) = chosen.group {
            line(out, "group", group)?;
        }
        line(out, "resumption", if chosen.resumes { "yes" } else { "no" })?;
    }
    line(out, "suites", &findings.suites.join(" "))?;
    if !findings.groups.is_empty() {
        line(out, "groups", &findings.groups.join(" "))?;
    }
    for shown in &findings.certificates {
        certificate(out, shown)?;
    }
    match &findings.unverified {
        None => line(out, "verified", "yes")?,
        Some(refused) => reproach(out, "verified", refused)?,
    }
    match &findings.response {
        None => Ok(()),
        Some(Ok(answer)) => response(out, answer),
        Some(Err(error)) => line(out, "response", &format!("none: {}", plain(error))),
    }
}

fn not_spoken(out: &mut String, findings: &Findings, refused: &Refused) -> std::fmt::Result {
    writeln!(out, "\n{}: not spoken", findings.protocol)?;
    line(out, "why", &plain(&refused.message))?;
    if refused.help.is_empty() {
        Ok(())
    } else {
        line(out, "help", &refused.help)
    }
}

fn certificate(out: &mut String, shown: &Shown) -> std::fmt::Result {
    writeln!(out, "  {} certificate", shown.role)?;
    let mut fact = |name: &str, value: &str| line(out, &format!("  {name}"), &plain(value));
    fact("subject", &shown.subject)?;
    fact("issuer", &shown.issuer)?;
    fact("names", &shown.names.join(" "))?;
    fact("valid", &validity(shown))?;
    fact(
        "key",
        &format!("{}, signed with {}", shown.key, shown.signature),
    )?;
    fact(
        "usage",
        &shown
            .usages
            .as_ref()
            .map_or_else(|| "not stated".into(), |u| u.join(" ")),
    )?;
    fact("serial", &shown.serial)?;
    fact("sha-256", &shown.fingerprint)
}

fn validity(shown: &Shown) -> String {
    let remark = match shown.days_left {
        days if days < 0 => ", EXPIRED".into(),
        days if days < SOON => format!(", {days} days left: renew it"),
        days => format!(", {days} days left"),
    };
    format!("{} to {}{remark}", shown.not_before, shown.not_after)
}

fn response(out: &mut String, response: &Response) -> std::fmt::Result {
    line(
        out,
        "response",
        &format!("{}, {} bytes", response.status, response.length),
    )?;
    for (name, value) in &response.headers {
        line(out, &format!("  {name}"), &plain(value))?;
    }
    for text in response.body.lines() {
        writeln!(out, "    | {}", plain(text))?;
    }
    Ok(())
}

fn reproach(out: &mut String, name: &str, refused: &Refused) -> std::fmt::Result {
    line(out, name, &format!("NO: {}", plain(&refused.message)))?;
    if refused.help.is_empty() {
        Ok(())
    } else {
        line(out, "help", &refused.help)
    }
}

fn line(out: &mut String, name: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "  {name:<12} {value}")
}

/// What a server says must not move the cursor of a terminal.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}
