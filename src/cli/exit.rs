//! The exit codes, which scripts and systemd rely on.

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is done.
    Done,
    /// It failed at run time.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// `alb probe`: the server works, but its certificate is not to be believed.
    Unverified,
    /// The configuration is wrong: sysexits' EX_CONFIG, which tells systemd not to try again.
    Config,
}

impl Exit {
    /// The number a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Unverified => 3,
            Exit::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
