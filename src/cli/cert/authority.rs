//! `alb cert ca`: everything but issuing.

use std::path::{Path, PathBuf};

use alb_certs::authority::{Directory, Entry, Register, Status};
use alb_certs::crl::Reason;
use alb_certs::issue::{Ca, Serial, Validity};
use alb_certs::name::Name;
use alb_certs::time::{DAY, Time};
use alb_certs::{Algorithm, Error, Key, Result, files};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::super::{Common, Exit};
use super::Done;
use super::csr::parse_name;
use super::input::{self, parse_algorithm};
use super::issue::{self, IssueArguments};
use super::key::Protection;
use super::output;
use super::password::PasswordSource;
use super::responder::{self, OcspArguments};

/// The subcommands of `alb cert ca`.
#[derive(Subcommand)]
pub enum CaCommand {
    /// Make an authority: a root, or with --parent an intermediate
    Init(InitArguments),
    /// Issue a TLCP pair or a single certificate
    Issue(Box<IssueArguments>),
    /// Revoke a certificate
    Revoke(RevokeArguments),
    /// Make the next list of revoked certificates
    Crl(CrlArguments),
    /// List what was issued
    List(ListArguments),
    /// Answer OCSP requests for the authority until interrupted
    Ocsp(OcspArguments),
}

/// The arguments of `alb cert ca init`.
#[derive(Args)]
pub struct InitArguments {
    /// The new authority's directory
    directory: PathBuf,

    /// Its name, as in "C=CN, O=Example, CN=Example Root"
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    subject: Name,

    /// The authority that signs it [default: it signs itself]
    #[arg(long, value_name = "DIRECTORY")]
    parent: Option<PathBuf>,

    /// The kind of key: sm2, p256, rsa2048, rsa3072, rsa4096
    #[arg(long, default_value = "sm2", value_parser = parse_algorithm)]
    algorithm: Algorithm,

    /// How long it holds [default: 3650, an intermediate 1825]
    #[arg(long)]
    days: Option<u32>,

    #[command(flatten)]
    protection: Protection,

    /// Read the password of the parent's key from the first line of this file
    #[arg(long, value_name = "FILE", requires = "parent")]
    parent_password_file: Option<PathBuf>,
}

/// The arguments of `alb cert ca revoke`.
#[derive(Args)]
pub struct RevokeArguments {
    /// The authority's directory
    directory: PathBuf,

    /// A serial number in hexadecimal, or a certificate file (every certificate issued here in it is revoked)
    certificate: String,

    /// Why: unspecified, key-compromise, affiliation-changed, superseded, cessation-of-operation
    #[arg(long, default_value = "unspecified", value_parser = parse_reason)]
    reason: Reason,

    #[command(flatten)]
    password: PasswordSource,
}

/// The arguments of `alb cert ca crl`.
#[derive(Args)]
pub struct CrlArguments {
    /// The authority's directory
    directory: PathBuf,

    /// When the next list is due
    #[arg(long, default_value_t = 7)]
    days: u32,

    /// Also write the list here; it is kept as crl.pem in the directory
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    password: PasswordSource,
}

/// The arguments of `alb cert ca list`.
#[derive(Args)]
pub struct ListArguments {
    /// The authority's directory
    directory: PathBuf,
}

/// Does what the subcommand says.
pub fn run(common: &Common, command: &CaCommand) -> Done {
    match command {
        CaCommand::Init(arguments) => init(arguments),
        CaCommand::Issue(arguments) => issue::issue(arguments),
        CaCommand::Revoke(arguments) => revoke(arguments),
        CaCommand::Crl(arguments) => crl(arguments),
        CaCommand::List(arguments) => list(common, &arguments.directory),
        CaCommand::Ocsp(arguments) => responder::serve(arguments),
    }
}

/// Opens an authority, asking for its key's password if it has one.
pub fn open(directory: &Path, password: &PasswordSource) -> Result<Directory> {
    Directory::open(directory, || {
        password.get(&format!("the authority in {}", directory.display()))
    })
}

fn init(arguments: &InitArguments) -> Done {
    let password = arguments
        .protection
        .required(&arguments.directory.join("ca.key"))?;
    let key = Key::generate(arguments.algorithm)?;
    let name = arguments.subject.clone();
    let ca = match &arguments.parent {
        None => Ca::root_named(key, name, Validity::days(arguments.days.unwrap_or(3650)))?,
        Some(parent) => {
            let source = PasswordSource::file(arguments.parent_password_file.clone());
            let parent = open(parent, &source)?;
            let intermediate = parent.ca().intermediate_named(
                key,
                name,
                Validity::days(arguments.days.unwrap_or(1825)),
            )?;
            // Recorded first: an authority that exists and is on no list could not be revoked.
            parent.issue_intermediate(&intermediate)?;
            intermediate
        }
    };
    Directory::create(
        &arguments.directory,
        &ca,
        password.as_deref().map(Vec::as_slice),
    )?;
    let certificate = arguments.directory.join("ca.pem");
    eprintln!(
        "made the authority {} in {}; peers trust {}",
        ca.name(),
        arguments.directory.display(),
        certificate.display()
    );
    Ok(Exit::Done)
}

fn revoke(arguments: &RevokeArguments) -> Done {
    let serials = serials(&arguments.directory, &arguments.certificate)?;
    let directory = open(&arguments.directory, &arguments.password)?;
    for serial in serials {
        let entry = directory.revoke(&serial, arguments.reason, Time::now())?;
        eprintln!("revoked {serial} ({})", entry.certificate.subject);
    }
    eprintln!(
        "the list of revoked certificates is made by `alb cert ca crl {}`",
        arguments.directory.display()
    );
    Ok(Exit::Done)
}

/// The serial number, or those of a file that were issued here.
fn serials(directory: &Path, text: &str) -> Result<Vec<Serial>> {
    let path = Path::new(text);
    if !path.exists() {
        return Serial::from_hex(text).map(|serial| vec![serial]).map_err(|_| {
            Error::Refused(format!("`{text}` is neither a file nor a serial number in hexadecimal; `alb cert ca list` shows the numbers"))
        });
    }
    let authority = Directory::certificate(directory)?.subject;
    let found: Vec<Serial> = input::certificates(path)?
        .into_iter()
        .filter(|one| one.issuer == authority)
        .map(|one| one.serial)
        .collect();
    if found.is_empty() {
        return Err(Error::Refused(format!(
            "no certificate in `{text}` was issued by {authority}"
        )));
    }
    Ok(found)
}

fn crl(arguments: &CrlArguments) -> Done {
    let directory = open(&arguments.directory, &arguments.password)?;
    let crl = directory.make_crl(arguments.days, Time::now())?;
    if let Some(out) = &arguments.out {
        files::write_public(out, crl.to_pem().as_bytes())?;
    }
    let number = crl.extensions.crl_number.unwrap_or_default();
    let path = arguments
        .out
        .clone()
        .unwrap_or_else(|| arguments.directory.join("crl.pem"));
    eprintln!(
        "wrote {} (number {number}, {} revoked, next within {} days)",
        path.display(),
        crl.revoked.len(),
        arguments.days
    );
    Ok(Exit::Done)
}

/// A line of `alb cert ca list --json`.
#[derive(Serialize)]
struct Listed {
    serial: String,
    subject: String,
    usage: String,
    not_after: String,
    days_left: i64,
    status: String,
}

fn list(common: &Common, directory: &Path) -> Done {
    // For its message, when the directory holds no authority.
    Directory::certificate(directory)?;
    let now = Time::now();
    let entries = Register::of(directory).entries(now)?;
    let listed: Vec<Listed> = entries.values().map(|entry| describe(entry, now)).collect();
    if common.json {
        output::json(&listed)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = listed
        .into_iter()
        .map(|line| {
            vec![
                line.serial,
                line.status,
                line.not_after,
                line.usage,
                line.subject,
            ]
        })
        .collect();
    output::table(
        &["SERIAL", "STATUS", "HOLDS UNTIL", "USAGE", "SUBJECT"],
        &rows,
    );
    Ok(Exit::Done)
}

fn describe(entry: &Entry, now: Time) -> Listed {
    let certificate = &entry.certificate;
    let usage = certificate.extensions.key_usage;
    Listed {
        serial: certificate.serial.to_string(),
        subject: certificate.subject.to_string(),
        usage: usage.map_or("any", usage_word).to_owned(),
        not_after: certificate.validity.not_after.to_string(),
        days_left: (certificate.validity.not_after.unix() - now.unix()).div_euclid(DAY),
        status: match entry.status {
            Status::Valid => "valid".to_owned(),
            Status::Expired => "expired".to_owned(),
            Status::Revoked { reason, .. } => format!("revoked ({})", reason.name()),
        },
    }
}

fn usage_word(usage: alb_certs::extension::KeyUsage) -> &'static str {
    use alb_certs::extension::KeyUsage;
    if usage.intersects(KeyUsage::CERTIFICATE_SIGN) {
        "authority"
    } else if usage.intersects(KeyUsage::ENCRYPT) && usage.intersects(KeyUsage::SIGN) {
        "sign+encrypt"
    } else if usage.intersects(KeyUsage::ENCRYPT) {
        "encrypt"
    } else {
        "sign"
    }
}

fn parse_reason(text: &str) -> std::result::Result<Reason, String> {
    Reason::from_name(text)
        .ok_or_else(|| format!("known are {}", Reason::ALL.map(Reason::name).join(", ")))
}
