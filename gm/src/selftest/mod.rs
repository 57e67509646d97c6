//! Self-tests at start and on command (GM/T 0025-2014, GM/T 0028): known answers, generated pairs, the random source.
//!
//! Everything is asked through Tongsuo's own interfaces, so what is tested is the code in use, whichever that is.

mod exchange;
mod known_answers;
mod pairs;
mod random;

use std::time::{Duration, Instant};

use crate::ready;

/// What the self-tests found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Report {
    /// One entry per check, in the order they ran.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
    /// How long it took, in microseconds.
    pub microseconds: u64,
}

impl Report {
    /// Whether everything is as it must be.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.failure.is_some())
    }
}

/// How a check ends: a sentence says what is wrong.
type Outcome = Result<(), String>;

/// A check and its name.
type Named = (&'static str, fn() -> Outcome);

/// Runs all checks, even after one has failed. Takes a few milliseconds.
pub fn run() -> Report {
    ready();
    let checks = known_answers::ALL
        .iter()
        .chain(pairs::ALL)
        .chain(random::ALL);
    Report {
        checks: checks.map(|(name, check)| run_one(name, *check)).collect(),
    }
}

fn run_one(name: &'static str, check: fn() -> Outcome) -> Check {
    let start = Instant::now();
    let failure = check().err();
    Check {
        name,
        failure,
        microseconds: whole(start.elapsed()),
    }
}

fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Compares an answer with the known one.
fn expect(answer: &[u8], known: &[u8]) -> Outcome {
    if answer == known {
        Ok(())
    } else {
        Err("the answer is not the known one".to_owned())
    }
}

/// An operation that did not even run.
fn refused(error: impl std::fmt::Display) -> String {
    format!("the operation was refused: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_passes_here() {
        let report = run();
        assert!(
            report.passed(),
            "{:?}",
            report.failures().collect::<Vec<_>>()
        );
        assert!(report.checks.len() > 10);
    }

    #[test]
    fn a_wrong_answer_is_a_failure_with_a_name() {
        let check = run_one("wrong", || expect(b"one", b"other"));
        let report = Report {
            checks: vec![check],
        };
        assert!(!report.passed());
        assert_eq!(
            report.failures().next().map(|check| check.name),
            Some("wrong")
        );
    }
}
