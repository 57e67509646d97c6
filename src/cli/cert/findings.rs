//! Prints findings, for people and as JSON.

use std::path::Path;

use alb_certs::Result;
use alb_certs::finding::Finding;
use serde::Serialize;

use super::super::Common;
use super::output;

/// The findings of one file, for `--json`.
#[derive(Serialize)]
struct Checked<'a> {
    file: String,
    findings: &'a [Finding],
}

/// Prints them under the name of their file.
pub fn print(common: &Common, file: &Path, findings: &[Finding]) -> Result<()> {
    if common.json {
        return output::json(&Checked {
            file: file.display().to_string(),
            findings,
        });
    }
    let text: String = findings
        .iter()
        .map(|finding| format!("{}: {finding}\n", file.display()))
        .collect();
    output::print(&text);
    Ok(())
}
