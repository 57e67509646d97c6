//! The authority itself: its key, and the right to change its records.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::register::{Entry, Register, Status};
use crate::algorithm::Algorithm;
use crate::certificate::Certificate;
use crate::crl::{Crl, CrlPlan, Reason, Revoked};
use crate::error::{Error, Result};
use crate::extension::KeyUsage;
use crate::files;
use crate::issue::{Ca, Issued, Leaf, Pair, Serial, Validity};
use crate::key_file;
use crate::pkcs8::Dialect;
use crate::public_key::PublicKey;
use crate::time::{DAY, Time};

/// An open authority. Only one process has it open at a time; others wait.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    ca: Ca,
    register: Register,
    /// Released when the file is closed, also by a kill.
    _lock: File,
}

impl Directory {
    /// Puts an authority into a new directory, its key encrypted if there is a password.
    ///
    /// The directory is prepared beside its place and appears there whole. It must not exist, or be empty.
    pub fn create(path: &Path, ca: &Ca, password: Option<&[u8]>) -> Result<()> {
        let prepared = beside(path)?;
        let result = prepare(&prepared, ca, password).and_then(|()| {
            fs::rename(&prepared, path).map_err(|error| match error.kind() {
                std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::NotADirectory => {
                    Error::Refused(format!(
                        "`{}` exists already; an authority is made in a new directory",
                        path.display()
                    ))
                }
                _ => Error::io("create", path)(error),
            })
        });
        if result.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(&prepared);
        }
        result?;
        files::sync_directory(path.parent().unwrap_or(Path::new(".")))
    }

    /// Opens an authority for issuing, waiting for whoever has it open.
    pub fn open(
        path: &Path,
        password: impl FnOnce() -> Result<Zeroizing<Vec<u8>>>,
    ) -> Result<Self> {
        let (certificate, chain) = read_certificate(path)?;
        let lock_path = path.join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("open", &lock_path))?;
        lock.lock().map_err(Error::io("lock", &lock_path))?;
        let key = key_file::read(&files::read(&path.join("ca.key"))?, password)?;
        let register = Register::of(path);
        files::remove_temporaries(path)?;
        register.clean()?;
        Ok(Self {
            path: path.to_owned(),
            ca: Ca::existing(key, certificate, chain)?,
            register,
            _lock: lock,
        })
    }

    /// The certificate of the authority in a directory.
    pub fn certificate(path: &Path) -> Result<Certificate> {
        read_certificate(path).map(|(certificate, _)| certificate)
    }

    /// The authority.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Issues a single certificate with a new key.
    pub fn issue(&self, algorithm: Algorithm, leaf: &Leaf) -> Result<Issued> {
        let issued = self.ca.issue(algorithm, leaf)?;
        self.register.add_issued(&[&issued.certificate])?;
        Ok(issued)
    }

    /// Issues a TLCP pair with new keys.
    pub fn issue_pair(&self, leaf: &Leaf) -> Result<Pair> {
        let pair = self.ca.issue_pair(leaf)?;
        self.register
            .add_issued(&[&pair.sign.certificate, &pair.encrypt.certificate])?;
        Ok(pair)
    }

    /// Issues a single certificate for somebody else's key.
    pub fn certify(&self, key: &PublicKey, leaf: &Leaf) -> Result<Certificate> {
        let certificate =
            self.ca
                .certify(key.info(), leaf, Ca::usage_for(key), &Serial::random()?)?;
        self.register.add_issued(&[&certificate])?;
        Ok(certificate)
    }

    /// Issues a TLCP pair for somebody else's signing key; the encryption key is made here, as a KMC does.
    pub fn certify_pair(&self, sign_key: &PublicKey, leaf: &Leaf) -> Result<(Certificate, Issued)> {
        let sign = self
            .ca
            .certify(sign_key.info(), leaf, KeyUsage::SIGN, &Serial::random()?)?;
        let encrypt = self.ca.issue_encryption(leaf)?;
        self.register.add_issued(&[&sign, &encrypt.certificate])?;
        Ok((sign, encrypt))
    }

    /// Issues an intermediate authority and records it.
    pub fn issue_intermediate(&self, intermediate: &Ca) -> Result<()> {
        self.register.add_issued(&[intermediate.certificate()])
    }

    /// Revokes a certificate that was issued here and is not revoked yet.
    pub fn revoke(&self, serial: &Serial, reason: Reason, at: Time) -> Result<Entry> {
        let entries = self.register.entries(at)?;
        let Some(entry) = entries.get(serial) else {
            let message = format!(
                "no certificate with serial number {serial} was issued here; `alb cert ca list` shows those that were"
            );
            return Err(Error::Refused(message));
        };
        if let Status::Revoked { at, reason } = entry.status {
            return Err(Error::Refused(format!(
                "{serial} is revoked already, since {at} ({})",
                reason.name()
            )));
        }
        self.register.add_revoked(&Revoked {
            serial: serial.clone(),
            at,
            reason,
        })?;
        Ok(entry.clone())
    }

    /// Makes the next revocation list, good for so many days, and keeps it as `crl.pem`.
    pub fn make_crl(&self, days: u32, now: Time) -> Result<Crl> {
        let path = self.path.join("crl.pem");
        let number = match path.exists() {
            true => Crl::from_pem_or_der(&files::read(&path)?)?
                .extensions
                .crl_number
                .unwrap_or(0)
                .saturating_add(1),
            false => 1,
        };
        let validity = Validity {
            not_before: now,
            not_after: now.plus(i64::from(days) * DAY),
        };
        let crl = self
            .ca
            .crl(&CrlPlan { number, validity }, &self.register.revoked()?)?;
        files::write_public(&path, crl.to_pem().as_bytes())?;
        Ok(crl)
    }
}

fn beside(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(Error::Refused(format!(
            "`{}` does not name a directory to create",
            path.display()
        )));
    };
    let mut name = name.to_owned();
    name.push(format!(".{}{}", std::process::id(), files::TEMPORARY));
    Ok(path.with_file_name(name))
}

fn prepare(path: &Path, ca: &Ca, password: Option<&[u8]>) -> Result<()> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(Error::io("create", path))?;
    let key = match password {
        Some(password) => Zeroizing::new(ca.key().to_encrypted_pem(password, Dialect::Tongsuo)?),
        None => ca.key().to_pem()?,
    };
    files::write_private(&path.join("ca.key"), key.as_bytes())?;
    let above = ca
        .chain()
        .iter()
        .filter(|certificate| *certificate != ca.certificate());
    let chain: String = std::iter::once(ca.certificate())
        .chain(above)
        .map(Certificate::to_pem)
        .collect();
    files::write_public(&path.join("ca.pem"), chain.as_bytes())?;
    Register::of(path).create()
}

/// The authority's certificate, and its chain as [`Ca::chain`] has it.
fn read_certificate(path: &Path) -> Result<(Certificate, Vec<Certificate>)> {
    let file = path.join("ca.pem");
    if !file.exists() {
        let message = format!(
            "`{}` holds no authority (no `ca.pem`); make one with `alb cert ca init`",
            path.display()
        );
        return Err(Error::Refused(message));
    }
    let certificates = Certificate::from_pem_or_der(&files::read(&file)?)?;
    let Some(first) = certificates.first().cloned() else {
        return Err(Error::malformed(
            "an authority's certificate",
            "no certificate",
        ));
    };
    let chain = if first.is_self_issued() {
        Vec::new()
    } else {
        certificates
    };
    Ok((first, chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_password() -> Result<Zeroizing<Vec<u8>>> {
        panic!("no password is needed")
    }

    fn authority() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca");
        Directory::create(&path, &Ca::root(Algorithm::Sm2, "Root").unwrap(), None).unwrap();
        (directory, path)
    }

    #[test]
    fn what_is_issued_is_listed_and_what_is_revoked_is_on_the_list() {
        let (_keep, path) = authority();
        let directory = Directory::open(&path, no_password).unwrap();
        let pair = directory.issue_pair(&Leaf::server("portal.test")).unwrap();
        directory
            .revoke(&pair.encrypt.serial, Reason::Superseded, Time::now())
            .unwrap();
        let entries = Register::of(&path).entries(Time::now()).unwrap();
        assert_eq!(entries[&pair.sign.serial].status, Status::Valid);
        assert!(matches!(
            entries[&pair.encrypt.serial].status,
            Status::Revoked {
                reason: Reason::Superseded,
                ..
            }
        ));
        let crl = directory.make_crl(7, Time::now()).unwrap();
        assert!(crl.find(&pair.encrypt.serial).is_some() && crl.find(&pair.sign.serial).is_none());
        assert!(
            crl.is_signed_by(&directory.ca().certificate().public_key)
                .unwrap()
        );
        assert_eq!(
            directory
                .make_crl(7, Time::now())
                .unwrap()
                .extensions
                .crl_number,
            Some(2)
        );
    }

    #[test]
    fn nothing_is_revoked_twice_or_unknown() {
        let (_keep, path) = authority();
        let directory = Directory::open(&path, no_password).unwrap();
        let issued = directory
            .issue(Algorithm::Sm2, &Leaf::client("alice"))
            .unwrap();
        let revoke = |serial: &Serial| directory.revoke(serial, Reason::Unspecified, Time::now());
        revoke(&issued.serial).unwrap();
        assert!(revoke(&issued.serial).is_err());
        assert!(revoke(&Serial::random().unwrap()).is_err());
    }

    #[test]
    fn an_intermediate_keeps_its_chain_over_a_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca");
        let intermediate = Ca::root(Algorithm::Sm2, "Root")
            .unwrap()
            .intermediate("Issuing")
            .unwrap();
        Directory::create(&path, &intermediate, Some(b"secret")).unwrap();
        let opened = Directory::open(&path, || Ok(Zeroizing::new(b"secret".to_vec()))).unwrap();
        assert_eq!(opened.ca().chain(), intermediate.chain());
        assert!(Directory::create(&path, &intermediate, None).is_err());
    }
}
