//! `alb cert lint`.

use std::path::PathBuf;

use alb_certs::finding::{Finding, Severity};
use alb_certs::time::Time;
use alb_certs::{Certificate, lint};
use clap::Args;

use super::super::{Common, Exit};
use super::{Done, findings, input, output};

/// The arguments of `alb cert lint`.
#[derive(Args)]
pub struct LintArguments {
    /// A certificate with its chain; with two files, signing and encryption half of a pair
    #[arg(required = true, num_args = 1..=2, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
}

/// Checks; the exit code is 0 only if there is no error.
pub fn lint(common: &Common, arguments: &LintArguments) -> Done {
    let mut worst = None;
    let mut leaves: Vec<Certificate> = Vec::new();
    for path in &arguments.files {
        let chain = input::certificates(path)?;
        let found = lint::lint_chain(&chain, Time::now())?;
        worst = worst.max(severity(&found));
        findings::print(common, path, &found)?;
        leaves.extend(chain.into_iter().next());
    }
    if let [sign, encrypt] = &leaves[..] {
        let found = lint::lint_pair(sign, encrypt);
        worst = worst.max(severity(&found));
        findings::print(common, &arguments.files[0], &found)?;
    }
    if worst.is_none() && !common.json {
        output::print("nothing found\n");
    }
    let limit = if arguments.strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    Ok(if worst.is_some_and(|worst| worst >= limit) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn severity(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}
