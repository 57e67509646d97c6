//! `alb cert ca issue`: a pair or a single certificate, from a request or with keys made here, one or many.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use alb_certs::authority::Directory;
use alb_certs::issue::{Issued, Leaf, Role, Validity};
use alb_certs::name::Name;
use alb_certs::{Algorithm, Certificate, Error, Result, envelope, files, pem};
use clap::{Args, ValueEnum};

use super::super::Exit;
use super::Done;
use super::authority::open;
use super::csr::parse_name;
use super::input::{self, Names, parse_algorithm};
use super::key::Protection;
use super::output::suffixed;
use super::password::{Password, PasswordSource};

/// The arguments of `alb cert ca issue`.
#[derive(Args)]
pub struct IssueArguments {
    /// The authority's directory
    directory: PathBuf,

    /// What the files are called: NAME-sign.pem, NAME-sign.key, NAME-enc.pem, NAME-enc.key, or NAME.pem, NAME.key
    #[arg(long, short, value_name = "NAME")]
    out: PathBuf,

    /// Certify the key of this request, instead of making one; its subject and names count
    #[arg(long, value_name = "FILE", conflicts_with = "bulk")]
    request: Option<PathBuf>,

    /// Issue one for each line of this file (a common name); --out is a directory then
    #[arg(long, value_name = "FILE")]
    bulk: Option<PathBuf>,

    /// What to issue
    #[arg(long, value_enum, default_value_t = Kind::Pair)]
    kind: Kind,

    /// The kind of key of a single certificate: sm2, p256, rsa2048, rsa3072, rsa4096
    #[arg(long, default_value = "sm2", value_parser = parse_algorithm)]
    algorithm: Algorithm,

    /// What it is for
    #[arg(long, value_enum, default_value_t = Profile::Server)]
    profile: Profile,

    /// Its subject, as in "C=CN, O=Example, CN=portal.example.cn" [default: the request's, or the first name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    subject: Option<Name>,

    #[command(flatten)]
    names: Names,

    /// How long it holds
    #[arg(long, default_value_t = 365)]
    days: u32,

    /// Where the list of revoked certificates will be found
    #[arg(long, value_name = "URL")]
    crl_url: Option<String>,

    /// Where the OCSP responder will be found
    #[arg(long, value_name = "URL")]
    ocsp_url: Option<String>,

    /// Replace files that exist, to renew
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    protection: Protection,

    /// Read the password of the authority's key from the first line of this file
    #[arg(long, value_name = "FILE")]
    ca_password_file: Option<PathBuf>,
}

/// What to issue.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Signing and encryption certificate, for TLCP
    Pair,
    /// One certificate
    Single,
}

/// What a certificate is for.
#[derive(Clone, Copy, ValueEnum)]
enum Profile {
    /// A server
    Server,
    /// A client
    Client,
    /// Both, as a gateway towards its upstreams
    Both,
    /// A responder for OCSP
    Ocsp,
}

impl Profile {
    fn role(self) -> Role {
        match self {
            Self::Server => Role::Server,
            Self::Client => Role::Client,
            Self::Both => Role::Both,
            Self::Ocsp => Role::OcspSigner,
        }
    }
}

/// Issues.
pub fn issue(arguments: &IssueArguments) -> Done {
    let password = arguments.protection.optional(&arguments.out)?;
    let directory = open(
        &arguments.directory,
        &PasswordSource::file(arguments.ca_password_file.clone()),
    )?;
    let writer = Writer {
        arguments,
        directory: &directory,
        password,
    };
    match (&arguments.bulk, &arguments.request) {
        (Some(list), _) => writer.bulk(list)?,
        (None, Some(request)) => writer.for_request(request)?,
        (None, None) => writer.with_new_keys(&arguments.out, &leaf(arguments)?)?,
    }
    Ok(Exit::Done)
}

/// What the arguments say about a certificate with a key made here.
fn leaf(arguments: &IssueArguments) -> Result<Leaf> {
    let names = arguments.names.alt_names();
    let subject = match (&arguments.subject, names.first()) {
        (Some(subject), _) => subject.clone(),
        (None, Some(alb_certs::extension::AltName::Dns(name))) => Name::common(name),
        (None, Some(alb_certs::extension::AltName::Ip(address))) => {
            Name::common(address.to_string())
        }
        (None, _) => {
            return Err(Error::Refused(
                "a certificate needs a name; give `--dns`, `--ip` or `--subject`".to_owned(),
            ));
        }
    };
    Ok(finish(
        Leaf::new(subject, arguments.profile.role()).names(names),
        arguments,
    ))
}

fn finish(leaf: Leaf, arguments: &IssueArguments) -> Leaf {
    let mut leaf = leaf.valid(Validity::days(arguments.days));
    if let Some(url) = &arguments.crl_url {
        leaf = leaf.crl_url(url);
    }
    if let Some(url) = &arguments.ocsp_url {
        leaf = leaf.ocsp_url(url);
    }
    leaf
}

/// Issues with an open authority and puts the results into files.
struct Writer<'a> {
    arguments: &'a IssueArguments,
    directory: &'a Directory,
    password: Option<Password>,
}

impl Writer<'_> {
    fn with_new_keys(&self, out: &Path, leaf: &Leaf) -> Result<()> {
        self.check_free(out, true)?;
        match self.arguments.kind {
            Kind::Single => {
                self.write_issued(out, &self.directory.issue(self.arguments.algorithm, leaf)?)
            }
            Kind::Pair => {
                let pair = self.directory.issue_pair(leaf)?;
                self.write_issued(&suffixed(out, "-sign"), &pair.sign)?;
                self.write_issued(&suffixed(out, "-enc"), &pair.encrypt)
            }
        }
    }

    /// A request's subject and names are taken unless the arguments give others.
    fn for_request(&self, path: &Path) -> Result<()> {
        let request = input::request(path)?;
        self.check_free(&self.arguments.out, false)?;
        let subject = self
            .arguments
            .subject
            .clone()
            .unwrap_or_else(|| request.subject.clone());
        let given = self.arguments.names.alt_names();
        let names = if given.is_empty() {
            request.extensions.names.clone()
        } else {
            given
        };
        let leaf = finish(
            Leaf::new(subject, self.arguments.profile.role()).names(names),
            self.arguments,
        );
        match self.arguments.kind {
            Kind::Single => self.write_certificate(
                &self.arguments.out,
                &self.directory.certify(&request.public_key, &leaf)?,
            ),
            Kind::Pair if !request.public_key.is_sm2() => {
                let message = format!(
                    "it is for a key of kind {}; a TLCP pair needs SM2 (or `--kind single`)",
                    request.public_key.describe()
                );
                Err(Error::Refused(message).in_file(path))
            }
            Kind::Pair => {
                let (sign, encrypt) = self.directory.certify_pair(&request.public_key, &leaf)?;
                self.write_answer(&sign, &encrypt)
            }
        }
    }

    /// The answer to a request for a pair: the encryption key leaves only wrapped to the signing key.
    fn write_answer(&self, sign: &Certificate, encrypt: &Issued) -> Result<()> {
        let out = &self.arguments.out;
        self.write_certificate(&suffixed(out, "-sign"), sign)?;
        self.write_certificate(&suffixed(out, "-enc"), &encrypt.certificate)?;
        let wrapped = envelope::seal_enveloped_key(&sign.public_key, &encrypt.key)?;
        let response = envelope::seal_csr_response(sign, &encrypt.certificate, &encrypt.key)?;
        self.write_public(
            &suffixed(out, "-enc.envelope.pem"),
            pem::encode("SM2 ENVELOPED KEY", &wrapped).as_bytes(),
        )?;
        self.write_public(&suffixed(out, "-response.der"), &response)
    }

    fn bulk(&self, list: &Path) -> Result<()> {
        let text = String::from_utf8_lossy(&files::read(list)?).into_owned();
        let names: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .collect();
        let progress = std::io::stderr().is_terminal();
        for (index, name) in names.iter().enumerate() {
            if name.contains(['/', '\0']) || name.starts_with('.') {
                return Err(Error::Refused(format!(
                    "`{name}` cannot name a file; letters, digits, `-`, `.`, `@` can"
                ))
                .in_file(list));
            }
            let leaf = match self.arguments.profile {
                Profile::Server | Profile::Both => {
                    Leaf::server(name).role(self.arguments.profile.role())
                }
                Profile::Client | Profile::Ocsp => {
                    Leaf::new(Name::common(*name), self.arguments.profile.role())
                }
            };
            self.with_new_keys(
                &self.arguments.out.join(name),
                &finish(leaf, self.arguments),
            )?;
            if progress {
                eprint!("\r{}/{} issued", index + 1, names.len());
            }
        }
        eprintln!(
            "{}issued {} in {}",
            if progress { "\r" } else { "" },
            names.len(),
            self.arguments.out.display()
        );
        Ok(())
    }

    /// Fails before anything is issued if a result could not be written.
    fn check_free(&self, out: &Path, with_new_keys: bool) -> Result<()> {
        let suffixes: &[&str] = match (self.arguments.kind, with_new_keys) {
            (Kind::Single, true) => &[".pem", ".key"],
            (Kind::Single, false) => &[".pem"],
            (Kind::Pair, true) => &["-sign.pem", "-sign.key", "-enc.pem", "-enc.key"],
            (Kind::Pair, false) => &[
                "-sign.pem",
                "-enc.pem",
                "-enc.envelope.pem",
                "-response.der",
            ],
        };
        let mut taken = suffixes
            .iter()
            .map(|suffix| suffixed(out, suffix))
            .filter(|path| path.exists());
        match taken.next() {
            Some(path) if !self.arguments.force => {
                let message = format!(
                    "`{}` exists already; choose another name, or renew it with `--force`",
                    path.display()
                );
                Err(Error::Refused(message))
            }
            _ => Ok(()),
        }
    }

    fn write_issued(&self, out: &Path, issued: &Issued) -> Result<()> {
        let key = suffixed(out, ".key");
        let text = self
            .arguments
            .protection
            .encode(&issued.key, self.password.as_ref())?;
        let write = if self.arguments.force {
            files::write_private
        } else {
            files::write_new_private
        };
        write(&key, text.as_bytes())?;
        self.tell(&key);
        self.write_certificate(out, &issued.certificate)
    }

    /// A certificate with the intermediates above it.
    fn write_certificate(&self, out: &Path, certificate: &Certificate) -> Result<()> {
        let chain: String = std::iter::once(certificate)
            .chain(self.directory.ca().chain())
            .map(Certificate::to_pem)
            .collect();
        self.write_public(&suffixed(out, ".pem"), chain.as_bytes())
    }

    fn write_public(&self, path: &Path, content: &[u8]) -> Result<()> {
        let write = if self.arguments.force {
            files::write_public
        } else {
            files::write_new
        };
        write(path, content)?;
        self.tell(path);
        Ok(())
    }

    fn tell(&self, path: &Path) {
        if self.arguments.bulk.is_none() {
            eprintln!("wrote {}", path.display());
        }
    }
}
