//! What packagers and editors want: the schema, the completions, the manual pages.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit};

/// The arguments of `alb completions`.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// The arguments of `alb man`.
#[derive(Args)]
pub struct Man {
    /// Write one page per command to this directory, instead of the main page to standard output
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// `alb schema`.
pub fn schema() -> Exit {
    print(alb_conf::schema().as_bytes())
}

/// `alb completions`.
pub fn completions(arguments: &Completions) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "alb", &mut text);
    print(&text)
}

/// `alb man`.
pub fn man(arguments: &Man) -> Exit {
    let written = match &arguments.directory {
        Some(directory) => clap_mangen::generate_to(Cli::command(), directory),
        None => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => return print(&page),
                Err(error) => Err(error),
            }
        }
    };
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            eprintln!("error: cannot write the manual pages: {error}");
            Exit::Failed
        }
    }
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no failure.
pub fn print(text: &[u8]) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            eprintln!("error: cannot write to standard output: {error}");
            Exit::Failed
        }
    }
}
