//! `alb quickstart`: a running gateway with nothing configured.
//!
//! Makes certificates, an upstream and a configuration file, and then runs that file the way `alb -c` does. There
//! is no second way to start: what works here works in production.

mod demo;
mod files;
mod ports;

use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, run};
use files::{Addresses, Directory};

/// The arguments of `alb quickstart`.
#[derive(Args)]
pub struct Quickstart {
    /// Keep everything in this directory; certificates found there are used again [default: a new private
    /// directory, removed at the end]
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<PathBuf>,

    /// Port for TLCP and TLS; another is taken if it is in use (0: any)
    #[arg(long, default_value_t = 8443)]
    port: u16,

    /// Port for plain HTTP; another is taken if it is in use (0: any)
    #[arg(long, default_value_t = 8080)]
    plain_port: u16,
}

/// Makes everything, says what to try, and runs until a signal.
pub fn quickstart(arguments: &Quickstart) -> Exit {
    match prepare(arguments) {
        Ok(directory) => {
            println!("{}", directory.welcome());
            run::run(&directory.config())
        }
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

fn prepare(arguments: &Quickstart) -> Result<Directory, Error> {
    let directory = Directory::open(arguments.dir.as_deref())?;
    let demo = demo::start().map_err(Error::Demo)?;
    let tls = ports::free(arguments.port).map_err(Error::Port)?;
    let plain = ports::free(arguments.plain_port).map_err(Error::Port)?;
    directory.write_identities()?;
    directory.with_config(Addresses { tls, plain, demo })
}

/// Why nothing could be started.
#[derive(Debug)]
enum Error {
    Certificates(alb_certs::Error),
    Directory(PathBuf, io::Error),
    ForeignConfig(PathBuf),
    Demo(io::Error),
    Port(io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificates(error) => write!(f, "{error}"),
            Self::Directory(path, error) => write!(
                f,
                "cannot create the directory `{}`: {error}",
                path.display()
            ),
            Self::ForeignConfig(path) => write!(
                f,
                "`{}` was not written by `alb quickstart`, so it is left alone\nhelp: run it with `alb -c {}`, or choose another `--dir`",
                path.display(),
                path.display()
            ),
            Self::Demo(error) => write!(
                f,
                "cannot start the demo upstream on a loopback port: {error}"
            ),
            Self::Port(error) => write!(f, "cannot find a free port on 127.0.0.1: {error}"),
        }
    }
}

impl From<alb_certs::Error> for Error {
    fn from(error: alb_certs::Error) -> Self {
        Self::Certificates(error)
    }
}
