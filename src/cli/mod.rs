//! The command line: what can be typed, and where it leads.

mod cert;
mod check;
mod control;
mod exit;
mod generate;
mod mail_password;
mod probe;
mod quickstart;
mod run;
mod selftest;
mod sign_link;
mod version;

pub use exit::Exit;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A secure gateway: TLCP and TLS in front of HTTP, streams and mail.
#[derive(Parser)]
#[command(name = "alb", disable_version_flag = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,

    /// Check the configuration and leave: 0 if it is good, 78 if not
    #[arg(long, short = 't')]
    check_config: bool,

    /// Print the effective configuration, with every default (implies --check-config)
    #[arg(long)]
    print: bool,

    /// Print the version; with --verbose also what it was built with
    #[arg(long, short = 'V')]
    version: bool,

    /// Say more
    #[arg(long, short = 'v')]
    verbose: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command understands.
#[derive(Args)]
pub struct Common {
    /// The configuration file
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        default_value = "/etc/alb/alb.toml"
    )]
    pub config: PathBuf,

    /// Report in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// Without a command, `alb` runs in the foreground.
#[derive(Subcommand)]
enum Command {
    /// Run at once with test certificates and a demo upstream, and say what to try
    Quickstart(quickstart::Quickstart),
    /// Keys, requests, certificates and authorities, for SM2 and beside it
    #[command(subcommand)]
    Cert(Box<cert::Cert>),
    /// Have the running daemon read its configuration again, and say what changed or why not
    Reload(control::Target),
    /// Have the running daemon finish its requests and leave, and wait for it
    Stop(control::Stop),
    /// Look at a TLCP or TLS server as its clients see it: protocols, suites, certificates
    Probe(Box<probe::Probe>),
    /// Make a verifier of a password, for a file of mail users
    MailPassword(mail_password::MailPassword),
    /// Check the cryptography on this machine: known answers, generated pairs, random sources
    Selftest,
    /// Sign a link for a route with `secure_link`, or for nginx
    SignLink(sign_link::SignLink),
    /// Print the JSON schema of the configuration file
    Schema,
    /// Print the completions of a shell
    Completions(generate::Completions),
    /// Print the manual page, or write all of them to a directory
    Man(generate::Man),
}

/// Reads the command line and does what it says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    dispatch(cli).into()
}

fn dispatch(cli: Cli) -> Exit {
    let common = cli.common;
    match cli.command {
        Some(Command::Quickstart(arguments)) => quickstart::quickstart(&arguments),
        Some(Command::Cert(command)) => cert::cert(&common, &command),
        Some(Command::Reload(target)) => control::reload(&common, &target),
        Some(Command::Stop(stop)) => control::stop(&common, &stop),
        Some(Command::Probe(arguments)) => probe::probe(&common, &arguments),
        Some(Command::MailPassword(arguments)) => mail_password::mail_password(&arguments),
        Some(Command::Selftest) => selftest::selftest(common.json),
        Some(Command::SignLink(arguments)) => sign_link::sign_link(&arguments),
        Some(Command::Schema) => generate::schema(),
        Some(Command::Completions(completions)) => generate::completions(&completions),
        Some(Command::Man(man)) => generate::man(&man),
        None if cli.version => version::print(cli.verbose, common.json),
        None if cli.check_config || cli.print => check::check(&common, cli.print),
        None => run::run(&common.config),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
