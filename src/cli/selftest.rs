//! `alb selftest`: checks the cryptography on this machine, as every start does.

use alb_gm::selftest::{Check, Report};

use super::Exit;
use super::generate::print;

/// Runs the self-tests and says what they found.
pub fn selftest(json: bool) -> Exit {
    alb_gm::init(alb_gm::Acceleration::Auto);
    let report = alb_gm::selftest::run();
    let text = if json {
        as_json(&report)
    } else {
        as_text(&report)
    };
    match (print(text.as_bytes()), report.passed()) {
        (Exit::Done, false) => Exit::Failed,
        (exit, _) => exit,
    }
}

fn as_json(report: &Report) -> String {
    let object = serde_json::json!({
        "passed": report.passed(),
        "checks": report.checks,
        "implementations": alb_gm::implementations(),
    });
    format!("{object:#}\n")
}

fn as_text(report: &Report) -> String {
    let line = |check: &Check| match &check.failure {
        None => format!("ok      {}\n", check.name),
        Some(failure) => format!("FAILED  {}: {failure}\n", check.name),
    };
    let mut text: String = report.checks.iter().map(line).collect();
    for implementation in alb_gm::implementations() {
        text.push_str(&format!(
            "{}: {}\n",
            implementation.algorithm, implementation.code
        ));
    }
    text.push_str(match report.passed() {
        true => "all checks passed\n",
        false => "alb will not serve with this cryptography\n",
    });
    text
}
