//! Passwords: from a prompt, a file or the environment, and never from the command line, where everybody reads them.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use alb_certs::{Error, Result, files};
use clap::Args;
use zeroize::Zeroizing;

/// Where a password comes from; without either, it is asked for at the terminal.
#[derive(Args)]
pub struct PasswordSource {
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,

    /// Read the password from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    password_env: Option<String>,
}

/// A password, wiped from memory when done with.
pub type Password = Zeroizing<Vec<u8>>;

impl PasswordSource {
    /// A file, or the terminal.
    pub fn file(password_file: Option<PathBuf>) -> Self {
        Self {
            password_file,
            password_env: None,
        }
    }

    /// Whether a file or a variable was named.
    pub fn is_given(&self) -> bool {
        self.password_file.is_some() || self.password_env.is_some()
    }

    /// The password that opens something; `what` names it in the prompt.
    pub fn get(&self, what: &str) -> Result<Password> {
        match self.given()? {
            Some(password) => Ok(password),
            None => prompt(&format!("password of {what}: ")),
        }
    }

    /// A password for something new, asked for twice at the terminal.
    pub fn get_new(&self, what: &str) -> Result<Password> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        let password = prompt(&format!("new password for {what}: "))?;
        if password.is_empty() {
            return Err(Error::Refused(
                "the password is empty; `--plain` leaves a key unprotected".to_owned(),
            ));
        }
        if prompt("again: ")? != password {
            return Err(Error::Refused("the two passwords differ".to_owned()));
        }
        Ok(password)
    }

    fn given(&self) -> Result<Option<Password>> {
        if let Some(path) = &self.password_file {
            let text = Zeroizing::new(files::read(path)?);
            let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
            return Ok(Some(Zeroizing::new(
                line.strip_suffix(b"\r").unwrap_or(line).to_vec(),
            )));
        }
        let Some(variable) = &self.password_env else {
            return Ok(None);
        };
        match std::env::var(variable) {
            Ok(value) => Ok(Some(Zeroizing::new(value.into_bytes()))),
            Err(_) => Err(Error::Refused(format!(
                "the environment variable `{variable}` is not set (or not UTF-8)"
            ))),
        }
    }
}

/// Asks at the terminal, without showing what is typed.
fn prompt(question: &str) -> Result<Password> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let message = "a password is needed, and there is no terminal to ask at; give `--password-file` or `--password-env`";
        return Err(Error::Refused(message.to_owned()));
    }
    let failed =
        |error: std::io::Error| Error::Refused(format!("cannot ask for a password: {error}"));
    let hidden = Hidden::start()?;
    eprint!("{question}");
    std::io::stderr().flush().map_err(failed)?;
    let mut line = Zeroizing::new(String::new());
    stdin.lock().read_line(&mut line).map_err(failed)?;
    drop(hidden);
    eprintln!();
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).as_bytes().to_vec(),
    ))
}

/// The terminal with its echo off, until dropped.
struct Hidden(nix::sys::termios::Termios);

impl Hidden {
    fn start() -> Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let failed = |error: nix::errno::Errno| {
            Error::Refused(format!("cannot hide what is typed: {error}"))
        };
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut without_echo = before.clone();
        without_echo.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &without_echo).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // If this fails the terminal is gone, and with it whoever would mind.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSAFLUSH, &self.0);
    }
}
