//! Prints tables for people and JSON for programs.

use std::path::{Path, PathBuf};

use alb_certs::{Error, Result};
use serde::Serialize;

/// Prints JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Refused(format!("cannot write JSON: {error}")))?;
    print(&format!("{text}\n"));
    Ok(())
}

/// Prints rows under a head, columns aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(column, title)| width(column).max(title.len()))
        .collect();
    let mut text = line(head.iter().map(|title| (*title).to_owned()), &widths);
    for row in rows {
        text.push_str(&line(row.iter().cloned(), &widths));
    }
    print(&text);
}

/// Prints text; a reader that has seen enough (`| head`) ends the program quietly.
pub fn print(text: &str) {
    super::super::generate::print(text.as_bytes());
}

/// A path with something appended to its name.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn line(cells: impl Iterator<Item = String>, widths: &[usize]) -> String {
    let padded: Vec<String> = cells
        .zip(widths)
        .map(|(cell, width)| format!("{cell:width$}"))
        .collect();
    format!("{}\n", padded.join("  ").trim_end())
}
