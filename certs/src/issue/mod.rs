//! Issues certificates: roots, intermediates, TLCP pairs, single certificates, revocation lists.
//!
//! Everything happens in memory; [`Pair::write`] and [`Issued::write`] put the result into files.
//!
//! ```
//! use alb_certs::{Algorithm, issue::{Ca, Leaf}};
//! # fn main() -> alb_certs::Result<()> {
//! let ca = Ca::root(Algorithm::Sm2, "Test Root")?;
//! let server = ca.issue_pair(&Leaf::server("portal.test").ip("127.0.0.1".parse().unwrap()))?;
//! let client = ca.issue(Algorithm::Sm2, &Leaf::client("alice"))?;
//! assert!(server.sign.certificate.to_pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! # drop(client); Ok(()) }
//! ```

mod ca;
mod crl;
mod files;
mod leaf;
mod template;

pub use ca::Ca;
pub use crl::{Crl, CrlPlan, Reason, Revoked, Serial};
pub use files::{Files, PairFiles, write_private, write_public};
pub use leaf::{Leaf, Role, Validity};

use crate::error::Result;
use crate::key::Key;
use crate::pem;

/// An encoded certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    /// Takes DER as a certificate, unparsed.
    pub fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.0)
    }

    /// The certificate as Tongsuo holds it.
    pub fn to_x509(&self) -> Result<openssl::x509::X509> {
        openssl::x509::X509::from_der(&self.0)
            .map_err(crate::Error::crypto("read back the certificate"))
    }
}

/// A certificate with its private key and the intermediates above it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate itself.
    pub certificate: Certificate,
    /// Its private key.
    pub key: Key,
    /// The intermediates up to, but without, the root; nearest first.
    pub chain: Vec<Certificate>,
    /// The serial number, as [`Ca::crl`] wants it.
    pub serial: Serial,
}

impl Issued {
    /// The certificate followed by its intermediates, as a server's certificate file wants it.
    pub fn chain_pem(&self) -> String {
        std::iter::once(&self.certificate)
            .chain(&self.chain)
            .map(Certificate::to_pem)
            .collect()
    }
}

/// A TLCP pair: two certificates with the same subject and names (GB/T 38636 §6.4.5.3).
#[derive(Debug, Clone)]
pub struct Pair {
    /// The signing half.
    pub sign: Issued,
    /// The encryption half.
    pub encrypt: Issued,
}

impl Pair {
    /// The same pair with its halves exchanged: a mistake operators make, for tests.
    pub fn swapped(self) -> Self {
        Self {
            sign: self.encrypt,
            encrypt: self.sign,
        }
    }
}
