//! What can be wrong with an identity, said so that it can be put right.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};

use super::Certified;
use crate::tls::certificate::{Certificate, key_words};
use crate::tls::pem;

/// An identity that cannot be used: the file at fault, a sentence, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityError {
    /// The file at fault.
    pub path: PathBuf,
    /// What was seen and what was expected.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// Something to put right soon, while the identity is used all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A certificate is past its end; peers will refuse it.
    Expired {
        /// The sentence for the log.
        message: String,
    },
    /// A certificate's validity has not begun.
    NotYetValid {
        /// The sentence for the log.
        message: String,
    },
    /// Anyone on the machine can read the key.
    WorldReadable {
        /// The sentence for the log.
        message: String,
    },
}

impl Warning {
    /// The sentence for the log.
    pub fn message(&self) -> &str {
        match self {
            Warning::Expired { message }
            | Warning::NotYetValid { message }
            | Warning::WorldReadable { message } => message,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Warning::Expired { .. } => "renew the certificate; peers that check the date refuse it",
            Warning::NotYetValid { .. } => {
                "check the clock of this machine, or wait; peers that check the date refuse it"
            }
            Warning::WorldReadable { .. } => "take the permission away with `chmod o-r`",
        }
    }
}

impl IdentityError {
    fn new(path: &Path, message: String, help: impl Into<String>) -> Self {
        IdentityError {
            path: path.to_path_buf(),
            message,
            help: help.into(),
        }
    }

    pub(super) fn unreadable(path: &Path, what: &str, error: &io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::NotFound => {
                "check the path; a relative one starts at the configuration file"
            }
            io::ErrorKind::PermissionDenied => "the user that starts alb has to be able to read it",
            _ => "name a PEM file",
        };
        Self::new(
            path,
            format!("cannot read the {what} `{}`: {error}", path.display()),
            help,
        )
    }

    pub(super) fn not_a(path: &Path, what: &str, text: &[u8]) -> Self {
        let seen = pem::describe(text);
        let broken = seen == format!("a {what}");
        let message = match broken {
            true => format!("the {what} in `{}` is damaged", path.display()),
            false => format!("`{}` is {seen}, not a {what}", path.display()),
        };
        let help = match (broken, what, seen.as_str()) {
            (true, ..) => "copy the file again; a line may be missing or cut",
            (_, "certificate", s) if s.ends_with("private key") => {
                "`certificate` and `key` seem to be exchanged"
            }
            (_, "private key", "a certificate") => "`certificate` and `key` seem to be exchanged",
            _ => {
                "name the PEM file that begins with `-----BEGIN CERTIFICATE-----`, or for a key `-----BEGIN PRIVATE KEY-----`"
            }
        };
        Self::new(path, message, help)
    }

    pub(super) fn no_certificate(path: &Path) -> Self {
        Self::new(
            path,
            format!("`{}` holds no certificate", path.display()),
            "name the PEM file of the certificate",
        )
    }

    pub(super) fn key_mismatch(
        certificate: &Certificate,
        path: &Path,
        key: &PKey<Private>,
        key_path: &Path,
    ) -> Self {
        let message = format!(
            "the private key `{}` ({}) does not belong to the certificate `{}` ({}, {})",
            key_path.display(),
            key_words(key),
            path.display(),
            certificate.key_words(),
            certificate.subject(),
        );
        Self::new(
            key_path,
            message,
            "name the key the certificate was requested with",
        )
    }

    pub(super) fn password_needed(path: &Path) -> Self {
        let message = format!(
            "the private key `{}` is encrypted and no password is given",
            path.display()
        );
        Self::new(
            path,
            message,
            "write `key = { file = \"…\", password_file = \"…\" }`",
        )
    }

    pub(super) fn wrong_password(path: &Path) -> Self {
        let message = format!(
            "the password does not open the private key `{}`",
            path.display()
        );
        Self::new(
            path,
            message,
            "check the password file; one newline at its end is ignored",
        )
    }

    pub(super) fn broken_key(path: &Path, error: &ErrorStack) -> Self {
        let reason = error
            .errors()
            .last()
            .and_then(|e| e.reason())
            .unwrap_or("unknown encoding");
        let message = format!(
            "the private key `{}` cannot be decoded: {reason}",
            path.display()
        );
        Self::new(
            path,
            message,
            "copy the file again, or convert it to PKCS#8 with `openssl pkcs8 -topk8`",
        )
    }

    pub(super) fn wrong_algorithm(certified: &Certified, role: &str) -> Self {
        let path = certified.source();
        let message = format!(
            "the {role} certificate `{}` holds {}",
            path.display(),
            certified.facts().key_words()
        );
        match role {
            "server" => Self::new(path, message, "use an RSA, ECDSA or SM2 certificate"),
            _ => Self::new(
                path,
                format!("{message}; TLCP needs SM2"),
                "for an RSA or ECDSA certificate write `certificate` and `key` instead of `sign` and `encrypt`",
            ),
        }
    }

    pub(super) fn swapped(sign: &Certified, encrypt: &Certified) -> Self {
        let message = format!(
            "the signing and the encryption certificate are exchanged: `{}` is for {}, `{}` for {}",
            sign.source().display(),
            usages(sign),
            encrypt.source().display(),
            usages(encrypt),
        );
        Self::new(sign.source(), message, "exchange the two, with their keys")
    }

    pub(super) fn wrong_usage(certified: &Certified, role: &str, needed: &str) -> Self {
        let message = format!(
            "the {role} certificate `{}` is for {}",
            certified.source().display(),
            usages(certified)
        );
        Self::new(
            certified.source(),
            message,
            format!("have it issued with the key usage {needed}; peers check it"),
        )
    }

    pub(super) fn different_subjects(encrypt: &Certified, sign: &str, other: &str) -> Self {
        let message = format!(
            "the signing certificate is for `{sign}`, the encryption certificate `{}` for `{other}`",
            encrypt.source().display()
        );
        Self::new(
            encrypt.source(),
            message,
            "the two of a pair are issued together, for one subject",
        )
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for IdentityError {}

fn usages(certified: &Certified) -> String {
    match certified.facts().usages() {
        None => "nothing in particular (it has no KeyUsage extension)".into(),
        Some(uses) => uses.join(", "),
    }
}
