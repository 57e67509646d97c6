//! curl, h2load and other programs as people use them.

use std::process::{Command, Output};
use std::time::Duration;

use crate::stopwatch::within;

/// Runs a program to its end without blocking the test's own servers.
pub async fn run(program: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments);
    finish(command).await
}

/// Runs a command to its end without blocking the test's own servers.
pub async fn finish(mut command: Command) -> Output {
    let what = format!("{command:?}");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = within(&what, output).await.expect("the thread lives");
    output.unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// curl, silent but for errors; fails the test when curl fails. Returns what it printed.
pub async fn curl(arguments: &[&str]) -> String {
    let arguments = [
        &[
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "15",
        ],
        arguments,
    ]
    .concat();
    let output = run("curl", &arguments).await;
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What h2load counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Requests with a 2xx status.
    pub succeeded: u64,
    /// Requests with another status, and those that got none.
    pub failed: u64,
}

/// h2load with these arguments.
pub async fn h2load(arguments: &[&str]) -> Load {
    let arguments: Vec<String> = arguments
        .iter()
        .map(|&argument| argument.to_owned())
        .collect();
    let task = tokio::task::spawn_blocking(move || Command::new("h2load").args(arguments).output());
    let limit = Duration::from_secs(120);
    let output = tokio::time::timeout(limit, task)
        .await
        .expect("h2load ends in two minutes");
    let output = output
        .expect("the thread lives")
        .expect("h2load is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("status codes:"));
    let line =
        line.unwrap_or_else(|| panic!("h2load: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let requests = text
        .lines()
        .find(|line| line.starts_with("requests:"))
        .expect("its total");
    let succeeded = number_before(line, " 2xx");
    Load {
        succeeded,
        failed: number_before(requests, " total") - succeeded,
    }
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line
        .split(word)
        .next()
        .expect("split gives one part at least");
    let digits = before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .expect("one part at least");
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no number before {word:?} in {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_h2load() {
        let line =
            "requests: 10 total, 10 started, 9 done, 8 succeeded, 2 failed, 1 errored, 0 timeout";
        assert_eq!(number_before(line, " total"), 10);
        assert_eq!(
            number_before("status codes: 8 2xx, 0 3xx, 1 4xx, 0 5xx", " 2xx"),
            8
        );
    }
}
