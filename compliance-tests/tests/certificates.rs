//! `docs/certificates.md`, run from its first command to its last; and quickstart, whose printed commands must work.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::alb::binary;
use alb_compliance_tests::process::Process;
use alb_compliance_tests::tools::finish;
use nix::sys::signal::Signal;

/// A fenced block of the document: its language and its text.
struct Block {
    language: String,
    text: String,
}

/// The blocks of a Markdown text, with the ports replaced by allocated ones.
fn blocks(markdown: &str, ports: &[(&str, String)]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let mut text = String::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            text.push_str(line);
            text.push('\n');
        }
        for (port, allocated) in ports {
            text = text.replace(port, allocated);
        }
        blocks.push(Block {
            language: language.to_owned(),
            text,
        });
    }
    blocks
}

/// A shell in which `alb` is the built one.
fn shell(directory: &Path, line: &str) -> Command {
    let bin = binary().parent().expect("a directory").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", line])
        .env("PATH", format!("{}:{path}", bin.display()))
        .current_dir(directory);
    command
}

/// Runs a line; `! ` turns its meaning round, as in a shell, but is not fooled by `-e`.
async fn run(directory: &Path, line: &str) {
    let (line, should_fail) = match line.strip_prefix("! ") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let output = finish(shell(directory, line)).await;
    assert_eq!(
        output.status.success(),
        !should_fail,
        "{line}\n{}",
        said(&output)
    );
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn the_walk_through_of_the_documentation_works_from_end_to_end() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/certificates.md");
    let markdown = std::fs::read_to_string(document).expect("the document");
    let (gateway, responder) = (Reserved::v4(), Reserved::v4());
    let ports = [
        ("8443", gateway.address().port().to_string()),
        ("8888", responder.address().port().to_string()),
    ];
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut running = Vec::new();
    for block in blocks(&markdown, &ports) {
        if block.language == "toml" {
            append(&directory.path().join("alb.toml"), &block.text);
            continue;
        }
        assert_eq!(block.language, "sh", "a block nobody would run");
        for line in block.text.lines() {
            match line.strip_suffix(" &") {
                Some(line) => running.push(start(directory.path(), line).await),
                None => run(directory.path(), line).await,
            }
        }
    }
    assert_eq!(running.len(), 2, "the daemon and the responder");
    running[0].wait_for("certificate_revoked").await;
}

/// The blocks of the configuration are written one below the other.
fn append(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).append(true).open(path);
    let mut file = file.expect("a file of ours");
    file.write_all(text.as_bytes()).expect("a file of ours");
}

/// Starts something that stays, and waits until it says that it is ready.
async fn start(directory: &Path, line: &str) -> Process {
    let mut command = shell(directory, &format!("exec {line}"));
    let process = Process::start("a line of the documentation", &mut command);
    let ready = if line.contains("ocsp") {
        "answering for"
    } else {
        "alb runs"
    };
    process.wait_for(ready).await;
    process
}

/// Starts `alb quickstart` on ports of its own.
async fn quickstart(arguments: &[&str]) -> Process {
    let mut command = Command::new(binary());
    command
        .args(["quickstart", "--port", "0", "--plain-port", "0"])
        .args(arguments);
    let quickstart = Process::start("alb quickstart", &mut command);
    quickstart.wait_for("alb runs").await;
    quickstart
}

#[tokio::test]
async fn the_commands_quickstart_prints_work_when_pasted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let kept = directory.path().display().to_string();
    let quickstart = quickstart(&["--dir", &kept]).await;
    let text = quickstart.output().text();
    let printed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    assert_eq!(printed.len(), 5, "{text}");
    for line in printed {
        let output = finish(shell(directory.path(), line)).await;
        assert!(output.status.success(), "{line}\n{}", said(&output));
        if line.contains("/hello") {
            assert!(
                said(&output).contains("GET /hello"),
                "{line}\n{}",
                said(&output)
            );
        }
    }
    quickstart.signal(Signal::SIGINT);
    assert!(quickstart.wait().await.success());
}

#[tokio::test]
async fn quickstart_removes_its_own_directory_when_it_leaves() {
    let quickstart = quickstart(&[]).await;
    let text = quickstart.output().text();
    let named = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("configuration"));
    let config = PathBuf::from(named.expect("the configuration is named").trim());
    assert!(config.is_file());
    quickstart.signal(Signal::SIGINT);
    assert!(quickstart.wait().await.success());
    assert!(!config.parent().expect("a directory").exists());
}
