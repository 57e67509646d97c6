//! A certificate before its signature: TBSCertificate of RFC 5280 §4.1.

use openssl::hash::MessageDigest;

use super::{Certificate, Serial, Validity};
use crate::der::{self, Reader};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::name::Name;
use crate::signed::Signed;

/// Everything a TBSCertificate needs beyond its issuer's signature.
pub(super) struct Template<'a> {
    pub serial: &'a Serial,
    pub issuer: &'a Name,
    pub subject: &'a Name,
    pub validity: Validity,
    pub public_key_info: &'a [u8],
    pub extensions: Vec<Vec<u8>>,
}

impl Template<'_> {
    /// Signs with the issuer's key.
    pub fn sign(&self, issuer_key: &Key) -> Result<Certificate> {
        const VERSION_3: u64 = 2;
        let to_sign = der::sequence([
            der::explicit(0, der::integer(VERSION_3)),
            der::unsigned(self.serial.bytes()),
            issuer_key.algorithm().signature_identifier(),
            self.issuer.to_der(),
            der::sequence([
                self.validity.not_before.to_der(),
                self.validity.not_after.to_der(),
            ]),
            self.subject.to_der(),
            self.public_key_info.to_vec(),
            der::explicit(3, der::sequence(self.extensions.iter().cloned())),
        ]);
        Certificate::from_der(&Signed::make(to_sign, issuer_key)?)
    }
}

/// The key identifier of RFC 5280 §4.2.1.2 method 1: SHA-1 of the public key bits. It names a key, it protects nothing.
pub(crate) fn key_id(public_key_info: &[u8]) -> Result<Vec<u8>> {
    let mut info = Reader::whole_sequence(public_key_info, "a public key")?;
    info.sequence()?;
    let digest = openssl::hash::hash(MessageDigest::sha1(), info.bits()?);
    Ok(digest
        .map_err(Error::crypto("compute a key identifier"))?
        .to_vec())
}
