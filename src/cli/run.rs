//! `alb`: runs the daemon in the foreground.

use std::path::Path;

use super::{Exit, check};
use crate::supervisor::{self, StartError};

/// Runs until told to leave.
pub fn run(path: &Path) -> Exit {
    match supervisor::run(path) {
        Ok(()) => Exit::Done,
        Err(StartError::Configuration(report)) => {
            check::render(&report);
            Exit::Config
        }
        Err(StartError::Failed(message)) => {
            eprintln!("error: {message}");
            Exit::Failed
        }
    }
}
