//! Puts keys and certificates into files: whole or not at all, keys readable by their owner only.

use std::path::{Path, PathBuf};

use super::{Issued, Pair};
use crate::error::Result;
use crate::files::{write_private, write_public};

/// Where a certificate and its key went.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate with its intermediates, PEM.
    pub certificate: PathBuf,
    /// The private key, PKCS#8 PEM, mode 0600.
    pub key: PathBuf,
}

/// Where the two halves of a pair went.
#[derive(Debug, Clone)]
pub struct PairFiles {
    /// The signing half.
    pub sign: Files,
    /// The encryption half.
    pub encrypt: Files,
}

impl Issued {
    /// Writes `NAME.pem` and `NAME.key` into a directory that exists.
    pub fn write(&self, directory: &Path, name: &str) -> Result<Files> {
        let files = Files {
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        write_private(&files.key, self.key.to_pem()?.as_bytes())?;
        write_public(&files.certificate, self.chain_pem().as_bytes())?;
        Ok(files)
    }
}

impl Pair {
    /// Writes `NAME-sign.pem`, `NAME-sign.key`, `NAME-enc.pem` and `NAME-enc.key` into a directory that exists.
    pub fn write(&self, directory: &Path, name: &str) -> Result<PairFiles> {
        Ok(PairFiles {
            sign: self.sign.write(directory, &format!("{name}-sign"))?,
            encrypt: self.encrypt.write(directory, &format!("{name}-enc"))?,
        })
    }
}
