//! Puts keys and certificates into files: whole or not at all, keys readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Issued, Pair};
use crate::error::{Error, Result};

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

/// Writes a file of mode 0600 through a temporary neighbour, so that it is never seen half-written.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write_whole(path, content, 0o600)
}

/// Writes a file of mode 0644 through a temporary neighbour, so that it is never seen half-written.
pub fn write_public(path: &Path, content: &[u8]) -> Result<()> {
    write_whole(path, content, 0o644)
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let result =
        write_synced(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // The first error is the one to tell; what is left behind is only a temporary file.
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(Error::io("write", path))?;
    sync_parent(path).map_err(Error::io("write", path))
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// A rename is durable only once its directory is.
fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::File::open(parent)?.sync_all()
}
