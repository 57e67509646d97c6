//! `alb cert convert`: PEM, DER, PKCS#8 under either dialect, PKCS#12, CFCA's `.sm2`.

use std::path::{Path, PathBuf};

use alb_certs::envelope::{self, Form, Opener};
use alb_certs::pkcs12::{self, Content, Protection as Pkcs12Protection};
use alb_certs::{Certificate, Error, Key, Result, files, key_file, pem};
use clap::{Args, ValueEnum};

use super::super::Exit;
use super::Done;
use super::input;
use super::key::Protection;
use super::password::PasswordSource;

/// The arguments of `alb cert convert`.
#[derive(Args)]
pub struct ConvertArguments {
    /// A key or certificates: PEM, DER, PKCS#8, SEC1, PKCS#12 or .sm2
    file: PathBuf,

    /// The form to write
    #[arg(long, value_enum)]
    to: Target,

    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,

    /// The certificate that goes with a key into PKCS#12 or .sm2, with its chain
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,

    /// Protect PKCS#12 with AES and SHA-256 instead of SM4 and SM3
    #[arg(long)]
    aes: bool,

    /// Read the password of the file that is read from the first line of this file
    #[arg(long, value_name = "FILE")]
    open_password_file: Option<PathBuf>,

    #[command(flatten)]
    protection: Protection,
}

/// What is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Certificates, requests, lists: the same in PEM
    Pem,
    /// Certificates, requests, lists: the same in DER
    Der,
    /// The private key as PKCS#8 in PEM
    Pkcs8,
    /// The certificates of PKCS#12 or .sm2 in PEM
    Certificates,
    /// Key and certificate as PKCS#12
    Pkcs12,
    /// Key and certificate as CFCA's .sm2
    Sm2,
}

/// What a file gives: a key, certificates, or both.
struct Source {
    key: Key,
    certificates: Vec<Certificate>,
}

/// Converts.
pub fn convert(arguments: &ConvertArguments) -> Done {
    match arguments.to {
        Target::Pem => files::write_new(&arguments.out, to_pem(&arguments.file)?.as_bytes())?,
        Target::Der => files::write_new(&arguments.out, &to_der(&arguments.file)?)?,
        Target::Certificates => {
            let text: String = source(arguments)?
                .certificates
                .iter()
                .map(Certificate::to_pem)
                .collect();
            if text.is_empty() {
                return Err(Error::malformed("a file with certificates", "a key alone")
                    .in_file(&arguments.file));
            }
            files::write_new(&arguments.out, text.as_bytes())?;
        }
        Target::Pkcs8 => {
            let key = source(arguments)?.key;
            let password = arguments.protection.required(&arguments.out)?;
            super::key::write(
                &arguments.out,
                &key,
                &arguments.protection,
                password.as_ref(),
            )?;
        }
        Target::Pkcs12 | Target::Sm2 => write_container(arguments)?,
    }
    eprintln!("wrote {}", arguments.out.display());
    Ok(Exit::Done)
}

fn write_container(arguments: &ConvertArguments) -> Result<()> {
    let source = source(arguments)?;
    let Some((certificate, chain)) = source.certificates.split_first() else {
        return Err(Error::Refused(
            "a certificate belongs into this form; give it with `--certificate`".to_owned(),
        ));
    };
    let Some(password) = arguments.protection.required(&arguments.out)? else {
        return Err(Error::Refused(
            "this form is always protected by a password; leave `--plain` out".to_owned(),
        ));
    };
    let bytes = if arguments.to == Target::Sm2 {
        pem::encode(
            "CFCA KEY",
            &envelope::seal_cfca_file(&source.key, certificate, &password)?,
        )
        .into_bytes()
    } else {
        let protection = if arguments.aes {
            Pkcs12Protection::Ordinary
        } else {
            Pkcs12Protection::Gm
        };
        let name = certificate
            .subject
            .common_name()
            .unwrap_or("key")
            .to_owned();
        let content = Content {
            key: source.key,
            certificate: certificate.clone(),
            chain: chain.to_vec(),
        };
        pkcs12::seal(&content, &name, &password, protection)?
    };
    files::write_new_private(&arguments.out, &bytes)
}

/// Key and certificates of whatever the file is; `--certificate` counts before what is in it.
fn source(arguments: &ConvertArguments) -> Result<Source> {
    let mut source = read_source(arguments).map_err(|error| error.in_file(&arguments.file))?;
    if let Some(path) = &arguments.certificate {
        source.certificates = input::certificates(path)?;
    }
    Ok(source)
}

fn read_source(arguments: &ConvertArguments) -> Result<Source> {
    let bytes = files::read(&arguments.file)?;
    let source = PasswordSource::file(arguments.open_password_file.clone());
    let password = || source.get(&arguments.file.display().to_string());
    if let Ok(unpacked) = envelope::unpack(&bytes)
        && let Ok(Form::CfcaFile) = envelope::detect(&unpacked)
    {
        let opened = envelope::open(&bytes, &Opener::Password(&password()?))?;
        return Ok(Source {
            key: opened.key,
            certificates: opened.encrypt_certificates,
        });
    }
    if is_pkcs12(&bytes) {
        let content = pkcs12::open(&bytes, &password()?)?;
        let certificates = std::iter::once(content.certificate)
            .chain(content.chain)
            .collect();
        return Ok(Source {
            key: content.key,
            certificates,
        });
    }
    Ok(Source {
        key: key_file::read(&bytes, password)?,
        certificates: Vec::new(),
    })
}

fn is_pkcs12(bytes: &[u8]) -> bool {
    alb_certs::inspect::inspect(bytes)
        .is_ok_and(|items| items.iter().any(|item| item.kind == "PKCS#12"))
}

/// The label a described object has in PEM.
fn label(kind: &str) -> Option<&'static str> {
    match kind {
        "certificate" => Some("CERTIFICATE"),
        "certificate request" => Some("CERTIFICATE REQUEST"),
        "revocation list" => Some("X509 CRL"),
        "public key" => Some("PUBLIC KEY"),
        "encrypted private key" => Some("ENCRYPTED PRIVATE KEY"),
        _ => None,
    }
}

fn to_pem(path: &Path) -> Result<String> {
    let bytes = files::read(path)?;
    let der = envelope::unpack(&bytes).map_err(|error| error.in_file(path))?;
    let kind = alb_certs::inspect::inspect_der(&der)
        .map_err(|error| error.in_file(path))?
        .kind;
    let label = label(&kind).ok_or_else(|| {
        Error::malformed(
            "something with a PEM label",
            format!("{kind}; see the other forms of `--to`"),
        )
        .in_file(path)
    })?;
    Ok(pem::encode(label, &der))
}

fn to_der(path: &Path) -> Result<Vec<u8>> {
    let bytes = files::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut blocks = pem::decode_all(&text).map_err(|error| error.in_file(path))?;
    match blocks.len() {
        0 => Err(Error::malformed("PEM", "a file without a block").in_file(path)),
        1 if blocks[0].label.ends_with("PRIVATE KEY")
            && blocks[0].label != "ENCRYPTED PRIVATE KEY" =>
        {
            Err(Error::Refused(
                "an unprotected key is written with `--to pkcs8` only, into a file of mode 0600"
                    .to_owned(),
            )
            .in_file(path))
        }
        1 => Ok(blocks.remove(0).content),
        count => Err(Error::malformed(
            "PEM with one block",
            format!("PEM with {count}; DER holds one"),
        )
        .in_file(path)),
    }
}
