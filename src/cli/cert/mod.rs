//! `alb cert`: keys, requests, certificates and authorities for SM2 and everything beside it.
//!
//! These files read arguments, files and passwords and print; what is done is done by `alb_certs`.

mod authority;
mod convert;
mod csr;
mod expiry;
mod findings;
mod import;
mod input;
mod issue;
mod key;
mod lint;
mod ocsp_client;
mod output;
pub mod password;
mod responder;
mod show;
mod verify;

use clap::Subcommand;

use super::{Common, Exit};

/// The subcommands of `alb cert`.
#[derive(Subcommand)]
pub enum Cert {
    /// Make a private key (PKCS#8, encrypted with SM4 unless told otherwise)
    Key(key::KeyArguments),
    /// Make a certificate request for a key
    Csr(csr::CsrArguments),
    /// Run a certificate authority that lives in one directory
    #[command(subcommand)]
    Ca(authority::CaCommand),
    /// Take the encryption key an authority returned out of its envelope
    ImportEnc(import::ImportArguments),
    /// Say what files are: certificates, keys, requests, lists, messages, wrapped keys
    Show(show::ShowArguments),
    /// Verify a certificate: chain, names, usage, time, revocation
    Verify(Box<verify::VerifyArguments>),
    /// Find what is wrong or unwise with a certificate or a pair
    Lint(lint::LintArguments),
    /// Convert between PEM, DER, PKCS#8, PKCS#12 and .sm2
    Convert(Box<convert::ConvertArguments>),
    /// Say how long the certificates and lists of the configuration still hold
    Expiry(expiry::ExpiryArguments),
}

/// Does what the subcommand says.
pub fn cert(common: &Common, command: &Cert) -> Exit {
    let done = match command {
        Cert::Key(arguments) => key::make(arguments),
        Cert::Csr(arguments) => csr::make(arguments),
        Cert::Ca(command) => authority::run(common, command),
        Cert::ImportEnc(arguments) => import::import(arguments),
        Cert::Show(arguments) => show::show(common, arguments),
        Cert::Verify(arguments) => verify::verify(common, arguments),
        Cert::Lint(arguments) => lint::lint(common, arguments),
        Cert::Convert(arguments) => convert::convert(arguments),
        Cert::Expiry(arguments) => expiry::expiry(common, arguments),
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Failed
        }
    }
}

/// How a subcommand ends, unless with an error.
type Done = alb_certs::Result<Exit>;
