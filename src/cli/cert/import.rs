//! `alb cert import-enc`: the encryption key an authority returned, out of its envelope.

use std::path::{Path, PathBuf};

use alb_certs::envelope::{self, Form, Opened, Opener};
use alb_certs::{Certificate, Error, Result, files};
use clap::Args;

use super::super::Exit;
use super::Done;
use super::input;
use super::key::Protection;
use super::output::suffixed;
use super::password::PasswordSource;

/// The arguments of `alb cert import-enc`.
#[derive(Args)]
pub struct ImportArguments {
    /// What the authority returned: SM2EnvelopedKey, CSRResponse, enveloped data, CFCA's key or .sm2 file, SKF or SDF blob
    file: PathBuf,

    /// The private key it is wrapped to: the signing key, or for CFCA's returned key the temporary one
    #[arg(long, short, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The encryption certificate, unless it is in the file
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// What the results are called: NAME-enc.key, and NAME-enc.pem and NAME-sign.pem where certificates came along
    #[arg(long, short, value_name = "NAME")]
    out: PathBuf,

    /// Read the password of the key, or of the .sm2 file, from the first line of this file
    #[arg(long, value_name = "FILE")]
    open_password_file: Option<PathBuf>,

    #[command(flatten)]
    protection: Protection,
}

/// Opens the envelope, proves the key, and only then writes.
pub fn import(arguments: &ImportArguments) -> Done {
    let opened = open(arguments).map_err(|error| error.in_file(&arguments.file))?;
    let given = arguments
        .certificate
        .as_deref()
        .map(input::certificate)
        .transpose()?;
    let certificate = given.as_ref().or(opened.encrypt_certificates.first());
    let Some(certificate) = certificate else {
        let message = format!(
            "its form is {}, without the encryption certificate; give that with `--certificate`, the key is checked against it",
            opened.form.name()
        );
        return Err(Error::Refused(message).in_file(&arguments.file));
    };
    opened.check_certificate(certificate)?;
    write(arguments, &opened, given.is_some())?;
    eprintln!(
        "the key in the {} belongs to the certificate of {}",
        opened.form.name(),
        certificate.subject
    );
    if let Some(signer) = &opened.signed_by {
        eprintln!(
            "the envelope is signed by {}, whose certificate came along and is not verified",
            signer.subject
        );
    }
    Ok(Exit::Done)
}

fn open(arguments: &ImportArguments) -> Result<Opened> {
    let bytes = files::read(&arguments.file)?;
    let form = envelope::detect(&envelope::unpack(&bytes)?)?;
    let password = PasswordSource::file(arguments.open_password_file.clone());
    if form.needs_password() {
        return envelope::open(
            &bytes,
            &Opener::Password(&password.get(&arguments.file.display().to_string())?),
        );
    }
    let Some(path) = &arguments.key else {
        let which = if form == Form::CfcaReturned {
            "the temporary key of the request"
        } else {
            "the signing key"
        };
        return Err(Error::Refused(format!(
            "its form is {}; give {which} with `--key`",
            form.name()
        )));
    };
    let key = input::key(path, &password)?;
    envelope::open(&bytes, &Opener::Key(&key))
}

fn write(arguments: &ImportArguments, opened: &Opened, certificate_given: bool) -> Result<()> {
    let key_path = suffixed(&arguments.out, "-enc.key");
    let password = arguments.protection.optional(&key_path)?;
    super::key::write(
        &key_path,
        &opened.key,
        &arguments.protection,
        password.as_ref(),
    )?;
    eprintln!("wrote {}", key_path.display());
    if !certificate_given {
        write_certificates(
            &suffixed(&arguments.out, "-enc.pem"),
            &opened.encrypt_certificates,
        )?;
    }
    write_certificates(
        &suffixed(&arguments.out, "-sign.pem"),
        &opened.sign_certificates,
    )
}

fn write_certificates(path: &Path, certificates: &[Certificate]) -> Result<()> {
    if certificates.is_empty() {
        return Ok(());
    }
    let text: String = certificates.iter().map(Certificate::to_pem).collect();
    files::write_new(path, text.as_bytes())?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
