//! PEM files: what is in them, in objects or in words.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Crl};
use zeroize::Zeroizing;

/// A file of keys or certificates beyond this is something else.
const MAX_FILE: u64 = 16 * 1024 * 1024;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";

/// Reads a file into memory that is wiped afterwards; it may hold a key.
pub(super) fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = fs::File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::new(ErrorKind::IsADirectory, "it is a directory"));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(
        usize::try_from(about.len().min(MAX_FILE)).unwrap_or(0),
    ));
    if file.take(MAX_FILE + 1).read_to_end(&mut bytes)? as u64 > MAX_FILE {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 16 MiB",
        ));
    }
    Ok(bytes)
}

/// The certificates of a file, in order.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<X509>, ErrorStack> {
    X509::stack_from_pem(text)
}

/// The revocation lists of a file, in order.
pub(super) fn revocation_lists(text: &[u8]) -> Result<Vec<X509Crl>, ErrorStack> {
    let text = String::from_utf8_lossy(text);
    let blocks = text
        .match_indices("-----BEGIN X509 CRL-----")
        .map(|(at, _)| &text.as_bytes()[at..]);
    blocks.map(X509Crl::from_pem).collect()
}

/// The labels of the PEM blocks of a file: `CERTIFICATE`, `ENCRYPTED PRIVATE KEY` …
pub(super) fn labels(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix(BEGIN)?.strip_suffix(DASHES));
    lines.map(str::to_owned).collect()
}

/// Says what a file is, for a message about what it should have been.
pub(super) fn describe(text: &[u8]) -> String {
    if text.is_empty() {
        return "an empty file".into();
    }
    let labels = labels(text);
    match labels.first().map(String::as_str) {
        None if text.starts_with(&[0x30]) => "binary DER; PEM is expected (`-----BEGIN …`)".into(),
        None if text.starts_with(b"PK") => "a ZIP archive".into(),
        None => "no PEM file: it has no `-----BEGIN …` line".into(),
        Some("CERTIFICATE") => "a certificate".into(),
        Some("CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") => {
            "a certificate request; the CA has yet to sign it".into()
        }
        Some("PUBLIC KEY") => "a public key".into(),
        Some("X509 CRL") => "a revocation list".into(),
        Some("PKCS7" | "CMS") => "a PKCS#7 bundle".into(),
        Some("ENCRYPTED PRIVATE KEY") => "an encrypted private key".into(),
        Some(label) if label.ends_with("PRIVATE KEY") => "a private key".into(),
        Some("EC PARAMETERS") if labels.iter().any(|l| l.ends_with("PRIVATE KEY")) => {
            "a private key".into()
        }
        Some(label) => format!("a PEM file of type `{}`", label.escape_debug()),
    }
}
