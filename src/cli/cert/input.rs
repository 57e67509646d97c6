//! Reads the files subcommands are given; every failure names the file.

use std::net::IpAddr;
use std::path::Path;

use alb_certs::extension::AltName;
use alb_certs::request::Request;
use alb_certs::{Algorithm, Certificate, Error, Key, Result, files, key_file};
use clap::Args;

use super::password::PasswordSource;

/// Names a certificate is for.
#[derive(Args)]
pub struct Names {
    /// A DNS name; may be repeated
    #[arg(long = "dns", value_name = "NAME")]
    dns: Vec<String>,

    /// An IP address; may be repeated
    #[arg(long = "ip", value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
}

impl Names {
    /// The names as the certificate will have them.
    pub fn alt_names(&self) -> Vec<AltName> {
        let dns = self.dns.iter().cloned().map(AltName::Dns);
        dns.chain(self.ip.iter().copied().map(AltName::Ip))
            .collect()
    }
}

/// The value of `--algorithm`.
pub fn parse_algorithm(text: &str) -> std::result::Result<Algorithm, String> {
    let known = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.name() == text)
        .ok_or_else(|| format!("known are {}", known()))
}

/// A private key, asking for its password if it has one.
pub fn key(path: &Path, password: &PasswordSource) -> Result<Key> {
    let bytes = files::read(path)?;
    key_file::read(&bytes, || password.get(&path.display().to_string()))
        .map_err(|error| error.in_file(path))
}

/// All certificates of a file; at least one.
pub fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    Certificate::from_pem_or_der(&files::read(path)?).map_err(|error| error.in_file(path))
}

/// The first certificate of a file.
pub fn certificate(path: &Path) -> Result<Certificate> {
    let first = certificates(path)?.into_iter().next();
    first.ok_or_else(|| Error::malformed("a certificate", "an empty file").in_file(path))
}

/// A request whose signature holds.
pub fn request(path: &Path) -> Result<Request> {
    let read = || {
        let request = Request::from_pem_or_der(&files::read(path)?)?;
        request.verify()?;
        Ok(request)
    };
    read().map_err(|error: Error| error.in_file(path))
}
