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
mod files;
mod leaf;
mod serial;
mod template;

pub use crate::crl::{Crl, CrlPlan, Reason, Revoked};
pub use crate::files::{write_private, write_public};
pub use ca::Ca;
pub use files::{Files, PairFiles};
pub use leaf::{Leaf, Role, Validity};
pub use serial::Serial;

pub use crate::certificate::Certificate;
use crate::key::Key;

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
