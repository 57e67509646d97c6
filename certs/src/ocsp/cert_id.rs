//! CertID: which certificate is meant, by hashes of its issuer's name and key (RFC 6960 §4.1.1).

use openssl::hash::{MessageDigest, hash};

use crate::certificate::Certificate;
use crate::der::{self, Reader};
use crate::error::{Error, Result};
use crate::issue::Serial;
use crate::name::Name;
use crate::oid::{self, Oid};

/// The certificate a request asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertId {
    der: Vec<u8>,
    algorithm: Oid,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    /// The serial number.
    pub serial: Serial,
}

const WHAT: &str = "an OCSP CertID";

impl CertId {
    /// Names a certificate, hashing with SM3, as GmSSL does, or with SHA-1, which every responder knows.
    pub fn of(certificate: &Certificate, issuer: &Certificate, sm3: bool) -> Result<Self> {
        let algorithm = if sm3 { oid::SM3 } else { oid::SHA1 };
        let hashes = hashes(&algorithm, &issuer.subject, issuer)?
            .ok_or_else(|| Error::malformed(WHAT, "an unknown hash"))?;
        let encoded = der::sequence([
            der::sequence([der::object_id(&algorithm), der::null()]),
            der::octet_string(&hashes.0),
            der::octet_string(&hashes.1),
            der::unsigned(certificate.serial.bytes()),
        ]);
        Self::parse(&encoded)
    }

    /// Reads DER.
    pub fn parse(der: &[u8]) -> Result<Self> {
        let mut content = Reader::whole_sequence(der, WHAT)?;
        let algorithm = content.sequence()?.object_id()?;
        let name_hash = content.octets()?.to_vec();
        let key_hash = content.octets()?.to_vec();
        let serial = Serial::from_bytes(content.unsigned()?);
        content.end()?;
        Ok(Self {
            der: der.to_vec(),
            algorithm,
            name_hash,
            key_hash,
            serial,
        })
    }

    /// Whether it names this issuer. Unknown hash algorithms name nobody.
    pub fn names_issuer(&self, issuer: &Certificate) -> Result<bool> {
        let hashes = hashes(&self.algorithm, &issuer.subject, issuer)?;
        Ok(hashes.is_some_and(|(name, key)| name == self.name_hash && key == self.key_hash))
    }

    /// The encoding, byte for byte as it was read: a client compares it with what it sent.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

type Hashes = (Vec<u8>, Vec<u8>);

fn hashes(algorithm: &Oid, name: &Name, issuer: &Certificate) -> Result<Option<Hashes>> {
    let known = [
        (oid::SHA1, MessageDigest::sha1()),
        (oid::SHA256, MessageDigest::sha256()),
        (oid::SM3, MessageDigest::sm3()),
    ];
    let Some((_, digest)) = known.into_iter().find(|(oid, _)| oid == algorithm) else {
        return Ok(None);
    };
    let mut info = Reader::whole_sequence(issuer.public_key.info(), "a public key")?;
    info.sequence()?;
    let compute = |bytes: &[u8]| {
        hash(digest, bytes)
            .map(|digest| digest.to_vec())
            .map_err(Error::crypto("hash an issuer"))
    };
    Ok(Some((compute(&name.to_der())?, compute(info.bits()?)?)))
}
