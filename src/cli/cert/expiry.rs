//! `alb cert expiry`: how long the certificates and lists of a configuration still hold.

use alb_certs::time::Time;
use clap::Args;

use super::super::{Common, Exit, check};
use super::{Done, output};
use crate::expiry::{Line, SOON, lines};

/// The arguments of `alb cert expiry`.
#[derive(Args)]
pub struct ExpiryArguments {
    /// Fail if something holds for fewer days than this
    #[arg(long, default_value_t = SOON)]
    days: i64,
}

/// Prints the table; the exit code is 1 if something ends within the threshold or cannot be read.
pub fn expiry(common: &Common, arguments: &ExpiryArguments) -> Done {
    let loaded = match alb_conf::load(&common.config) {
        Ok(loaded) => loaded,
        Err(report) => {
            check::render(&report);
            return Ok(Exit::Config);
        }
    };
    let lines = lines(&loaded.config, Time::now());
    let due = |line: &Line| line.days_left.is_none_or(|days| days < arguments.days);
    let exit = if lines.iter().any(due) {
        Exit::Failed
    } else {
        Exit::Done
    };
    if common.json {
        output::json(&lines)?;
        return Ok(exit);
    }
    let rows: Vec<_> = lines.into_iter().map(row).collect();
    output::table(&["DAYS LEFT", "UNTIL", "USED BY", "WHAT", "FILE"], &rows);
    Ok(exit)
}

fn row(line: Line) -> Vec<String> {
    let days = match line.days_left {
        Some(days) if days < 0 => "EXPIRED".to_owned(),
        Some(days) => days.to_string(),
        None => "?".to_owned(),
    };
    vec![
        days,
        line.until,
        line.used_by,
        line.what,
        line.file.display().to_string(),
    ]
}
