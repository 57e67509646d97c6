//! `alb --check-config`: everything a start would look at, without starting.

use alb_conf::{Report, Severity};

use super::generate::print;
use super::{Common, Exit};
use crate::snapshot::Snapshot;

/// Checks the configuration, and prints it with every default if asked to.
pub fn check(common: &Common, show: bool) -> Exit {
    let (config, report) = match Snapshot::load(&common.config, None) {
        Ok((snapshot, warnings)) => (Some(snapshot.config), warnings),
        Err(report) => (None, report),
    };
    if common.json {
        return json(&report, config.is_some());
    }
    render(&report);
    match config {
        None => Exit::Config,
        Some(config) if show => print(alb_conf::print(&config).as_bytes()),
        Some(_) => {
            eprintln!("`{}` is good", common.config.display());
            Exit::Done
        }
    }
}

/// Prints a report for people: in colour on a terminal, with a count at the end.
pub fn render(report: &Report) {
    use std::io::IsTerminal;
    let stderr = std::io::stderr();
    let color = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // If standard error is gone there is nobody to tell.
    let _ = report.render(&mut stderr.lock(), color);
    let (errors, warnings) = (
        report.count(Severity::Error),
        report.count(Severity::Warning),
    );
    if errors > 0 {
        let what = |count, word| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        eprintln!("{}, {}", what(errors, "error"), what(warnings, "warning"));
    }
}

fn json(report: &Report, good: bool) -> Exit {
    let text = serde_json::json!({ "good": good, "findings": report });
    match print(format!("{text:#}\n").as_bytes()) {
        Exit::Done if !good => Exit::Config,
        exit => exit,
    }
}
