//! `alb cert verify`.

use std::path::{Path, PathBuf};

use alb_certs::crl::Crl;
use alb_certs::extension::KeyUsage;
use alb_certs::finding::{Finding, Severity};
use alb_certs::time::Time;
use alb_certs::verify::{Policy, verify as check};
use alb_certs::{Certificate, Error, Result, files, oid};
use clap::{Args, ValueEnum};

use super::super::{Common, Exit};
use super::{Done, findings, input, ocsp_client};

/// The arguments of `alb cert verify`.
#[derive(Args)]
pub struct VerifyArguments {
    /// The certificate, with its intermediates after it
    certificate: PathBuf,

    /// A trusted authority; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    ca: Vec<PathBuf>,

    /// Further intermediates
    #[arg(long, value_name = "FILE")]
    chain: Vec<PathBuf>,

    /// A list of revoked certificates; may be repeated
    #[arg(long, value_name = "FILE")]
    crl: Vec<PathBuf>,

    /// Ask an OCSP responder: the one in the certificate, or this one (http://…)
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    ocsp: Option<String>,

    /// The DNS name or IP address it must be for
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// What it must be for
    #[arg(long, value_enum)]
    purpose: Option<Purpose>,

    /// Which half of a TLCP pair it must be
    #[arg(long, value_enum)]
    half: Option<Half>,
}

/// What a certificate is for.
#[derive(Clone, Copy, ValueEnum)]
enum Purpose {
    /// A server
    Server,
    /// A client
    Client,
}

/// A half of a pair.
#[derive(Clone, Copy, ValueEnum)]
enum Half {
    /// The signing certificate
    Sign,
    /// The encryption certificate
    Encrypt,
}

/// Verifies; the exit code is 0 only if it holds.
pub fn verify(common: &Common, arguments: &VerifyArguments) -> Done {
    let file = input::certificates(&arguments.certificate)?;
    let (leaf, rest) = file
        .split_first()
        .ok_or_else(|| Error::malformed("a certificate", "an empty file"))?;
    let anchors = read_all(&arguments.ca)?;
    let mut intermediates = rest.to_vec();
    intermediates.extend(read_all(&arguments.chain)?);
    let lists = arguments
        .crl
        .iter()
        .map(|path| read_list(path))
        .collect::<Result<Vec<_>>>()?;
    let policy = Policy {
        anchors: &anchors,
        intermediates: &intermediates,
        lists: &lists,
        at: Time::now(),
        purpose: arguments.purpose.map(|purpose| match purpose {
            Purpose::Server => oid::SERVER_AUTH,
            Purpose::Client => oid::CLIENT_AUTH,
        }),
        host: arguments.host.as_deref(),
        usage: arguments.half.map(|half| match half {
            Half::Sign => KeyUsage::SIGN,
            Half::Encrypt => KeyUsage::ENCRYPT,
        }),
    };
    let verdict = check(leaf, &policy)?;
    let mut found = verdict.findings;
    if let Some(url) = &arguments.ocsp {
        found.push(ask(leaf, verdict.chain.get(1), url));
    }
    let holds = found
        .iter()
        .all(|finding| finding.severity != Severity::Error);
    findings::print(common, &arguments.certificate, &found)?;
    if holds && !common.json {
        let chain: Vec<_> = verdict
            .chain
            .iter()
            .map(|one| one.subject.to_string())
            .collect();
        super::output::print(&format!(
            "{}: verified\n  {}\n",
            arguments.certificate.display(),
            chain.join("\n  ← ")
        ));
    }
    Ok(if holds { Exit::Done } else { Exit::Failed })
}

fn ask(leaf: &Certificate, issuer: Option<&Certificate>, url: &str) -> Finding {
    let Some(issuer) = issuer else {
        return Finding::error("the issuer is not known, so no OCSP responder can be asked");
    };
    ocsp_client::ask(leaf, issuer, url).unwrap_or_else(|error| Finding::error(error.to_string()))
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<Certificate>> {
    let read: Vec<_> = paths
        .iter()
        .map(|path| input::certificates(path))
        .collect::<Result<_>>()?;
    Ok(read.concat())
}

fn read_list(path: &Path) -> Result<Crl> {
    Crl::from_pem_or_der(&files::read(path)?).map_err(|error| error.in_file(path))
}
