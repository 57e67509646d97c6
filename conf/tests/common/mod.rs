//! The example files, in a place where everything they name exists.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};

/// The example files: name and text.
pub fn examples() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    let name = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().into_owned();
    files
        .iter()
        .map(|file| (name(file), fs::read_to_string(file).unwrap()))
        .collect()
}

/// Writes `text` as `alb.toml` to a new directory, with an empty file for every relative path it names.
pub fn installed(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for directory_name in ["tls", "log", "www", "lists"] {
        fs::create_dir(directory.path().join(directory_name)).unwrap();
    }
    for quoted in text
        .split('"')
        .filter(|quoted| quoted.starts_with("tls/") || quoted.starts_with("lists/"))
    {
        fs::write(directory.path().join(quoted), "").unwrap();
    }
    let file = directory.path().join("alb.toml");
    fs::write(&file, text).unwrap();
    (directory, file)
}

/// The findings about a text, each as `LINE:COLUMN severity: message | label | help`.
pub fn findings(text: &str) -> Vec<String> {
    let report = match alb_conf::check_str(text) {
        Ok(_) => return Vec::new(),
        Err(report) => report,
    };
    let json = serde_json::to_value(&report).unwrap();
    json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect()
}

fn line(finding: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| {
        value
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| value.to_string())
    };
    let mut line = match &finding["at"] {
        serde_json::Value::Null => String::new(),
        at => format!("{}:{} ", at["line"], at["column"]),
    };
    line += &format!(
        "{}: {}",
        text(&finding["severity"]),
        text(&finding["message"])
    );
    for part in ["label", "help"] {
        if !finding[part].is_null() {
            line += &format!(" | {}", text(&finding[part]));
        }
    }
    line
}

/// A file that is right, to put something wrong behind.
pub const RIGHT: &str = r#"[[http]]
name = "web"
listen = ["0.0.0.0:80"]
[[site]]
[[site.route]]
proxy = "app"
[upstream.app]
peers = ["10.0.0.1:80"]
"#;

/// The findings of `RIGHT` with `wrong` behind it, lines counted from the first of `wrong`.
pub fn behind(wrong: &str) -> Vec<String> {
    let lines = RIGHT.lines().count();
    let text = format!("{RIGHT}{wrong}");
    let renumbered = |finding: String| match finding.split_once(':') {
        Some((line, rest)) if line.parse::<usize>().is_ok() => {
            format!("{}:{rest}", line.parse::<usize>().unwrap() - lines)
        }
        _ => finding,
    };
    findings(&text).into_iter().map(renumbered).collect()
}

/// Findings that contain these texts, one each, in this order.
#[track_caller]
pub fn assert_found(found: &[String], expected: &[&str]) {
    let matches = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, part)| found.contains(part));
    assert!(matches, "expected {expected:#?}\nfound {found:#?}");
}
