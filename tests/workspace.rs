//! Holds the workspace to the rules of docs/architecture.md: who may use whom, and how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Lines of a file before its tests; beyond this it is to be split by theme.
const LONGEST_FILE: usize = 400;

/// What each crate may use of the others.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("alb-benches", &["alb-gm"]),
    ("alb-conf", &[]),
    ("alb-gm", &[]),
    ("alb-certs", &["alb-gm"]),
    ("alb-core", &["alb-conf", "alb-gm"]),
    ("alb-http", &["alb-conf", "alb-core"]),
    ("alb-mail", &["alb-conf", "alb-core"]),
    ("alb-stream", &["alb-conf", "alb-core"]),
    (
        "alb",
        &[
            "alb-certs",
            "alb-conf",
            "alb-core",
            "alb-gm",
            "alb-http",
            "alb-mail",
            "alb-stream",
        ],
    ),
    ("alb-compliance-tests", &["alb-certs", "alb-gm"]),
    (
        "alb-fuzz-targets",
        &[
            "alb-certs",
            "alb-conf",
            "alb-core",
            "alb-gm",
            "alb-http",
            "alb-mail",
        ],
    ),
];

/// What any crate may use in its own tests besides.
const TESTS_MAY_USE: &[&str] = &["alb-certs", "alb-compliance-tests"];

#[test]
fn crates_use_only_whom_they_may() {
    let rules: BTreeMap<&str, &[&str]> = MAY_USE.into();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let names: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(&package["name"]))
        .collect();
    assert_eq!(
        names,
        rules.keys().copied().collect(),
        "a crate without a rule, or a rule without its crate"
    );

    let mut broken = Vec::new();
    for package in packages {
        let name = text(&package["name"]);
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = text(&dependency["name"]);
            let in_tests = dependency["kind"] == "dev";
            let allowed = rules[name].contains(&used) || in_tests && TESTS_MAY_USE.contains(&used);
            if names.contains(used) && !allowed {
                broken.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "against docs/architecture.md: {broken:?}"
    );
}

/// Other implementations of SM2, SM3 and SM4, to compare ours with: none of them is safe enough to ship.
const ORACLES: &[&str] = &["libsm", "sm-crypto", "sm2", "sm3", "sm4"];

#[test]
fn oracles_are_used_by_tests_only() {
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = text(&dependency["name"]);
            if ORACLES.contains(&used) {
                assert_eq!(dependency["kind"], "dev", "{used} in {}", package["name"]);
                seen.insert(used);
            }
        }
    }
    assert_eq!(seen.len(), ORACLES.len(), "seen only {seen:?}");
}

#[test]
fn files_are_short() {
    let mut sources = Vec::new();
    find_sources(&root(), &mut sources);
    assert!(
        sources.len() > 20,
        "only {} sources found under {}",
        sources.len(),
        root().display()
    );
    let too_long: Vec<String> = sources
        .iter()
        .map(|path| (path, code_lines(path)))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| format!("{}: {lines} lines before its tests", path.display()))
        .collect();
    assert!(
        too_long.is_empty(),
        "longer than {LONGEST_FILE} lines, split by theme:\n{}",
        too_long.join("\n")
    );
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn find_sources(directory: &Path, sources: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            find_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

/// Lines up to the tests at the end of the file.
fn code_lines(path: &Path) -> usize {
    let source = fs::read_to_string(path).expect("a readable source");
    source
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .count()
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}
