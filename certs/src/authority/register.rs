//! What an authority has issued and revoked: read without its key.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::certificate::Certificate;
use crate::crl::{Reason, Revoked};
use crate::error::{Error, Result};
use crate::files;
use crate::issue::Serial;
use crate::time::Time;

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Issued, and neither revoked nor expired.
    Valid,
    /// Past its last second.
    Expired,
    /// Revoked, whether or not it has expired since.
    Revoked {
        /// When.
        at: Time,
        /// Why.
        reason: Reason,
    },
}

/// One issued certificate.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The certificate.
    pub certificate: Certificate,
    /// How it stands.
    pub status: Status,
}

/// The records below an authority's directory.
#[derive(Debug, Clone)]
pub struct Register {
    issued: PathBuf,
    revoked: PathBuf,
}

impl Register {
    /// The register of the authority in `directory`.
    pub fn of(directory: &Path) -> Self {
        Self {
            issued: directory.join("issued"),
            revoked: directory.join("revoked"),
        }
    }

    /// Everything issued, by serial number.
    pub fn entries(&self, now: Time) -> Result<BTreeMap<Serial, Entry>> {
        let revoked: BTreeMap<Serial, Revoked> = self
            .revoked()?
            .into_iter()
            .map(|entry| (entry.serial.clone(), entry))
            .collect();
        let mut entries = BTreeMap::new();
        for path in listed(&self.issued)? {
            for certificate in Certificate::from_pem_or_der(&files::read(&path)?)? {
                let status = match revoked.get(&certificate.serial) {
                    Some(entry) => Status::Revoked {
                        at: entry.at,
                        reason: entry.reason,
                    },
                    None if now > certificate.validity.not_after => Status::Expired,
                    None => Status::Valid,
                };
                entries.insert(
                    certificate.serial.clone(),
                    Entry {
                        certificate,
                        status,
                    },
                );
            }
        }
        Ok(entries)
    }

    /// Everything revoked, by serial number.
    pub fn revoked(&self) -> Result<Vec<Revoked>> {
        let mut entries = listed(&self.revoked)?
            .iter()
            .map(|path| read_revoked(path))
            .collect::<Result<Vec<_>>>()?;
        entries.sort_by(|a, b| a.serial.cmp(&b.serial));
        Ok(entries)
    }

    /// When something was last issued or revoked: the later change of the two directories.
    pub fn changed(&self) -> Result<std::time::SystemTime> {
        let modified = |path: &Path| {
            fs::metadata(path)
                .and_then(|meta| meta.modified())
                .map_err(Error::io("read", path))
        };
        Ok(modified(&self.issued)?.max(modified(&self.revoked)?))
    }

    pub(super) fn create(&self) -> Result<()> {
        [&self.issued, &self.revoked]
            .into_iter()
            .try_for_each(|path| fs::create_dir(path).map_err(Error::io("create", path)))
    }

    pub(super) fn clean(&self) -> Result<()> {
        [&self.issued, &self.revoked]
            .into_iter()
            .try_for_each(|path| files::remove_temporaries(path))
    }

    /// Records certificates issued together as one file, named by the first.
    pub(super) fn add_issued(&self, certificates: &[&Certificate]) -> Result<()> {
        let Some(first) = certificates.first() else {
            return Ok(());
        };
        let text: String = certificates
            .iter()
            .map(|certificate| certificate.to_pem())
            .collect();
        files::write_new(
            &self.issued.join(format!("{}.pem", first.serial)),
            text.as_bytes(),
        )
    }

    pub(super) fn add_revoked(&self, entry: &Revoked) -> Result<()> {
        let text = format!("{} {}\n", entry.at.unix(), entry.reason.name());
        files::write_new(
            &self.revoked.join(entry.serial.to_string()),
            text.as_bytes(),
        )
    }
}

/// The finished files of a directory.
fn listed(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("read", directory))? {
        let path = entry.map_err(Error::io("read", directory))?.path();
        if !path.to_string_lossy().ends_with(files::TEMPORARY) {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn read_revoked(path: &Path) -> Result<Revoked> {
    let text = files::read(path)?;
    let parse = || {
        let serial = Serial::from_hex(path.file_name()?.to_str()?).ok()?;
        let (at, reason) = std::str::from_utf8(&text)
            .ok()?
            .trim_end()
            .split_once(' ')?;
        Some(Revoked {
            serial,
            at: Time::from_unix(at.parse().ok()?),
            reason: Reason::from_name(reason)?,
        })
    };
    parse().ok_or_else(|| {
        Error::Refused(format!("`{}` is not a revocation record (`SECONDS REASON`); the directory was changed by something else", path.display()))
    })
}
