//! Whom to believe: certificate authorities and their revocation lists.

use std::path::PathBuf;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Crl};

use super::certificate::unix;
use super::time::now;
use super::{PolicyError, ffi, pem};

/// Where distributions keep the authorities they ship: Debian, Fedora, openEuler and Kylin, openSUSE, Alpine.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A set of authorities, with the revocation lists that go with them.
#[derive(Clone, Default)]
pub struct Trust {
    authorities: Vec<X509>,
    revoked: Arc<Vec<X509Crl>>,
}

impl Trust {
    /// Reads PEM files of CA certificates and of revocation lists; a file may hold several.
    pub fn load(authorities: &[PathBuf], revoked: &[PathBuf]) -> Result<Trust, PolicyError> {
        let (mut trusted, mut lists) = (Vec::new(), Vec::new());
        for path in authorities {
            let text = pem::read(path).map_err(|e| PolicyError::unreadable(path, &e))?;
            let found = pem::certificates(&text)
                .ok()
                .filter(|found| !found.is_empty());
            trusted.extend(found.ok_or_else(|| PolicyError::not_a(path, "CA certificate", &text))?);
        }
        for path in revoked {
            let text = pem::read(path).map_err(|e| PolicyError::unreadable(path, &e))?;
            let found = pem::revocation_lists(&text)
                .ok()
                .filter(|found| !found.is_empty());
            lists.extend(found.ok_or_else(|| PolicyError::not_a(path, "revocation list", &text))?);
        }
        Ok(Trust::new(trusted, lists))
    }

    /// The authorities of the operating system.
    pub fn system() -> Result<Trust, PolicyError> {
        let bundle = SYSTEM_BUNDLES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists());
        let missing = || {
            PolicyError::new(
                "this system has no bundle of certificate authorities",
                "install `ca-certificates`, or name authorities in `ca`",
            )
        };
        Trust::load(&[bundle.ok_or_else(missing)?], &[])
    }

    /// Made of certificates and lists at hand.
    pub fn new(authorities: Vec<X509>, revoked: Vec<X509Crl>) -> Trust {
        Trust {
            authorities,
            revoked: Arc::new(revoked),
        }
    }

    /// The authorities.
    pub fn authorities(&self) -> &[X509] {
        &self.authorities
    }

    /// No authority at all.
    pub fn is_empty(&self) -> bool {
        self.authorities.is_empty()
    }

    /// When the first of the lists that are current now will be out of date, seconds since 1970.
    pub(super) fn lists_end(&self) -> Option<i64> {
        let now = now();
        let ends = self.revoked.iter().filter_map(|list| list.next_update());
        ends.map(unix).filter(|&end| end > now).min()
    }

    /// The store Tongsuo verifies with. With revocation lists, every certificate of a chain is looked up
    /// (GM/T 0026-2014: at every handshake); see `verify` for authorities without a list.
    pub(super) fn store(&self) -> Result<X509Store, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        for authority in &self.authorities {
            store.add_cert(authority.clone())?;
        }
        for list in self.revoked.iter() {
            ffi::add_crl(&mut store, list)?;
        }
        if !self.revoked.is_empty() {
            store.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
        }
        Ok(store.build())
    }
}
