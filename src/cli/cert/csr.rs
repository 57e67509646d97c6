//! `alb cert csr`.

use std::path::PathBuf;

use alb_certs::name::Name;
use alb_certs::request::{CfcaExtras, Request};
use alb_certs::{Algorithm, Error, Key, files};
use clap::Args;

use super::super::Exit;
use super::Done;
use super::input::{self, Names};
use super::password::PasswordSource;

/// The arguments of `alb cert csr`.
#[derive(Args)]
pub struct CsrArguments {
    /// The key to be certified; for a TLCP pair, the signing key
    #[arg(long, short, value_name = "FILE")]
    key: PathBuf,

    #[command(flatten)]
    password: PasswordSource,

    /// Who asks, as in "C=CN, O=Example, CN=portal.example.cn"
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    subject: Name,

    #[command(flatten)]
    names: Names,

    /// The request to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,

    /// Ask as CFCA wants it: with a temporary key, to which it wraps the encryption key
    #[arg(long, requires = "temporary_key_out")]
    cfca: bool,

    /// Where the temporary key is written, mode 0600; keep it until CFCA has answered
    #[arg(long, value_name = "FILE", requires = "cfca")]
    temporary_key_out: Option<PathBuf>,

    /// The password agreed with CFCA; it stands readable in the request
    #[arg(long, value_name = "TEXT", default_value = "111111", requires = "cfca")]
    challenge: String,
}

/// The value of `--subject`.
pub fn parse_name(text: &str) -> Result<Name, String> {
    Name::parse(text).map_err(|error| error.to_string())
}

/// Makes a request.
pub fn make(arguments: &CsrArguments) -> Done {
    let key = input::key(&arguments.key, &arguments.password)?;
    let names = arguments.names.alt_names();
    let request = match &arguments.temporary_key_out {
        Some(path) => {
            if key.algorithm() != Algorithm::Sm2 {
                return Err(Error::Refused(format!(
                    "`{}` is a key of kind {}; CFCA's form is for SM2",
                    arguments.key.display(),
                    key.algorithm()
                )));
            }
            let temporary_key = Key::generate(Algorithm::Sm2)?;
            let cfca = CfcaExtras {
                temporary_key: &temporary_key,
                challenge: &arguments.challenge,
            };
            let request = Request::make(&key, &arguments.subject, &names, Some(&cfca))?;
            files::write_new_private(path, temporary_key.to_pem()?.as_bytes())?;
            request
        }
        None => Request::make(&key, &arguments.subject, &names, None)?,
    };
    files::write_public(&arguments.out, request.to_pem().as_bytes())?;
    eprintln!(
        "wrote {} for {}",
        arguments.out.display(),
        arguments.subject
    );
    Ok(Exit::Done)
}
