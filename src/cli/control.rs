//! `alb reload` and `alb stop`: find the daemon by its pid file, ask it, and report what came of it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use clap::Args;

use super::check::render;
use super::generate::print;
use super::{Common, Exit};
use crate::supervisor::control::{Answer, Control, Order};
use crate::supervisor::pid_file;

/// Which daemon is meant.
#[derive(Args)]
pub struct Target {
    /// The pid file of the daemon, instead of the one the configuration names
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
}

/// The arguments of `alb stop`.
#[derive(Args)]
pub struct Stop {
    #[command(flatten)]
    target: Target,

    /// End open connections instead of letting them finish
    #[arg(long)]
    now: bool,
}

/// A daemon that was found.
struct Running {
    pid: u32,
    pid_file: PathBuf,
}

/// `alb reload`.
pub fn reload(common: &Common, target: &Target) -> Exit {
    let running = match find(common, target) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    match running.ask(Order::Reload) {
        Ok((answer, _)) => report(&answer, common.json),
        Err(error) => running.unreachable(&error),
    }
}

/// `alb stop`.
pub fn stop(common: &Common, arguments: &Stop) -> Exit {
    let running = match find(common, &arguments.target) {
        Ok(running) => running,
        Err(exit) => return exit,
    };
    let (answer, mut connection) = match running.ask(Order::Stop { now: arguments.now }) {
        Ok(both) => both,
        Err(error) => return running.unreachable(&error),
    };
    if !common.json {
        eprintln!("alb (process {}) is {}", running.pid, answer.message);
    }
    // The daemon keeps the connection open until it ends; how the read ends does not matter.
    let _ = connection.read_to_end(&mut Vec::new());
    match running.has_ended() {
        true => report(&Answer::done("alb has left"), common.json),
        false => report(
            &Answer::refused("alb has closed its control socket but still runs", ""),
            common.json,
        ),
    }
}

impl Running {
    fn ask(&self, order: Order) -> io::Result<(Answer, BufReader<UnixStream>)> {
        let mut stream = UnixStream::connect(Control::path_for(&self.pid_file))?;
        writeln!(stream, "{}", order.as_str())?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let answer = serde_json::from_str(&line)
            .map_err(|_| io::Error::other("it left without an answer; its error log says why"))?;
        Ok((answer, reader))
    }

    /// The lock of the pid file goes with the process. It is let go a moment after the connection.
    fn has_ended(&self) -> bool {
        let held = || pid_file::running(&self.pid_file).is_ok_and(|pid| pid == Some(self.pid));
        for _ in 0..100 {
            if !held() {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        false
    }

    fn unreachable(&self, error: &io::Error) -> Exit {
        eprintln!(
            "error: cannot speak to alb (process {}) through `{}`: {error}",
            self.pid,
            Control::path_for(&self.pid_file).display()
        );
        if error.kind() == io::ErrorKind::PermissionDenied {
            eprintln!("help: run this command as root or as the user of the daemon");
        }
        Exit::Failed
    }
}

fn find(common: &Common, target: &Target) -> Result<Running, Exit> {
    let path = match &target.pid_file {
        Some(path) => path.clone(),
        None => configured(&common.config)?,
    };
    match pid_file::running(&path) {
        Ok(Some(pid)) => Ok(Running {
            pid,
            pid_file: path,
        }),
        Ok(None) => {
            eprintln!(
                "error: alb does not run: nobody holds the pid file `{}`",
                path.display()
            );
            Err(Exit::Failed)
        }
        Err(error) => {
            eprintln!(
                "error: cannot read the pid file `{}`: {error}",
                path.display()
            );
            Err(Exit::Failed)
        }
    }
}

fn configured(config: &Path) -> Result<PathBuf, Exit> {
    let loaded = alb_conf::load(config).map_err(|report| {
        render(&report);
        eprintln!("help: `--pid-file` finds the daemon without the configuration");
        Exit::Config
    })?;
    loaded
        .config
        .daemon
        .pid_file
        .map(|path| path.into_inner())
        .ok_or_else(|| {
            eprintln!(
                "error: `{}` names no `pid_file` in `[daemon]`, so the daemon cannot be found",
                config.display()
            );
            eprintln!(
                "help: add one and restart alb, or signal it yourself: HUP reloads, QUIT stops"
            );
            Exit::Config
        })
}

fn report(answer: &Answer, json: bool) -> Exit {
    if json {
        let text = serde_json::to_string_pretty(answer).unwrap_or_default();
        print(format!("{text}\n").as_bytes());
    } else {
        eprint!("{}", answer.report);
        eprintln!("{}", answer.message);
        for change in &answer.changes {
            eprintln!("  {change}");
        }
        if answer.done && answer.changes.is_empty() && answer.message.contains("reloaded") {
            eprintln!("  nothing changed in the file; certificates and keys were read again");
        }
    }
    match (answer.done, answer.configuration) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Config,
        (false, false) => Exit::Failed,
    }
}
