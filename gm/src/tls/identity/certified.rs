//! A certificate with its chain and its private key, checked to belong together.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;
use zeroize::Zeroizing;

use super::error::{IdentityError, Warning};
use super::now;
use crate::tls::certificate::Certificate;
use crate::tls::pem;
use crate::tls::time::rfc3339;

/// A certificate and its private key.
#[derive(Clone)]
pub struct Certified {
    certificate: X509,
    chain: Vec<X509>,
    key: PKey<Private>,
    /// Where it came from, for messages.
    source: PathBuf,
    warnings: Vec<Warning>,
}

impl Certified {
    /// Reads a certificate (with its chain after it, if any) and its key from PEM files. `password` opens an encrypted
    /// key; it is wiped by its owner.
    pub fn load(
        certificate: &Path,
        key: &Path,
        password: Option<&Zeroizing<Vec<u8>>>,
    ) -> Result<Certified, IdentityError> {
        let chain = load_chain(certificate)?;
        let private = load_key(key, password)?;
        let mut certified = Certified::assemble(chain, private, certificate, key)?;
        certified.warnings.extend(readable_by_others(key));
        Ok(certified)
    }

    /// The same from PEM text at hand; the key is not encrypted.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Certified, IdentityError> {
        let here = Path::new("(in memory)");
        let chain = decode_chain(here, certificate)?;
        Certified::assemble(chain, decode_key(here, key, None)?, here, here)
    }

    /// Made of objects at hand: the certificate, the authorities that lead to its root, and the key.
    pub fn new(
        certificate: X509,
        chain: Vec<X509>,
        key: PKey<Private>,
    ) -> Result<Certified, IdentityError> {
        let here = Path::new("(in memory)");
        Certified::assemble([vec![certificate], chain].concat(), key, here, here)
    }

    fn assemble(
        mut chain: Vec<X509>,
        key: PKey<Private>,
        source: &Path,
        key_source: &Path,
    ) -> Result<Certified, IdentityError> {
        if chain.is_empty() {
            return Err(IdentityError::no_certificate(source));
        }
        let certificate = chain.remove(0);
        let matches = certificate
            .public_key()
            .is_ok_and(|public| public.public_eq(&key));
        if !matches {
            return Err(IdentityError::key_mismatch(
                &Certificate::new(&certificate),
                source,
                &key,
                key_source,
            ));
        }
        let source = source.to_path_buf();
        let mut certified = Certified {
            certificate,
            chain,
            key,
            source,
            warnings: Vec::new(),
        };
        certified.warnings.extend(validity(&certified, now()));
        Ok(certified)
    }

    /// The certificate.
    pub fn certificate(&self) -> &X509 {
        &self.certificate
    }

    /// The certificates sent after it.
    pub fn chain(&self) -> &[X509] {
        &self.chain
    }

    /// What is wrong with it but does not stop it from being used.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The facts of the certificate.
    pub fn facts(&self) -> Certificate {
        Certificate::new(&self.certificate)
    }

    pub(in crate::tls) fn key(&self) -> &PKey<Private> {
        &self.key
    }

    pub(in crate::tls) fn source(&self) -> &Path {
        &self.source
    }
}

fn load_chain(path: &Path) -> Result<Vec<X509>, IdentityError> {
    let text = pem::read(path).map_err(|e| IdentityError::unreadable(path, "certificate", &e))?;
    decode_chain(path, &text)
}

fn decode_chain(path: &Path, text: &[u8]) -> Result<Vec<X509>, IdentityError> {
    match pem::certificates(text) {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(IdentityError::not_a(path, "certificate", text)),
    }
}

fn load_key(
    path: &Path,
    password: Option<&Zeroizing<Vec<u8>>>,
) -> Result<PKey<Private>, IdentityError> {
    let text = pem::read(path).map_err(|e| IdentityError::unreadable(path, "private key", &e))?;
    decode_key(path, &text, password)
}

fn decode_key(
    path: &Path,
    text: &[u8],
    password: Option<&Zeroizing<Vec<u8>>>,
) -> Result<PKey<Private>, IdentityError> {
    let labels = pem::labels(text);
    if !labels.iter().any(|l| l.ends_with("PRIVATE KEY")) {
        return Err(IdentityError::not_a(path, "private key", text));
    }
    let encrypted = is_encrypted(&labels, text);
    match (encrypted, password) {
        (true, None) => Err(IdentityError::password_needed(path)),
        (true, Some(password)) => PKey::private_key_from_pem_passphrase(text, password)
            .map_err(|_| IdentityError::wrong_password(path)),
        (false, _) => {
            PKey::private_key_from_pem(text).map_err(|e| IdentityError::broken_key(path, &e))
        }
    }
}

/// PKCS#8 says so in its label, the older formats in a header (RFC 1421 §4.6.1.1).
fn is_encrypted(labels: &[String], text: &[u8]) -> bool {
    labels.iter().any(|l| l == "ENCRYPTED PRIVATE KEY")
        || String::from_utf8_lossy(text)
            .lines()
            .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
}

fn validity(certified: &Certified, now: i64) -> Option<Warning> {
    let facts = certified.facts();
    let source = certified.source.display();
    if facts.not_after() < now {
        let message = format!(
            "the certificate in `{source}` expired at {}",
            rfc3339(facts.not_after())
        );
        return Some(Warning::Expired { message });
    }
    if facts.not_before() > now {
        let message = format!(
            "the certificate in `{source}` is not valid before {}",
            rfc3339(facts.not_before())
        );
        return Some(Warning::NotYetValid { message });
    }
    None
}

fn readable_by_others(path: &Path) -> Option<Warning> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    (mode & 0o004 != 0).then(|| Warning::WorldReadable {
        message: format!(
            "every user of this machine may read the private key `{}` (mode {:03o})",
            path.display(),
            mode & 0o777
        ),
    })
}
