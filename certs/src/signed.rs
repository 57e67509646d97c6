//! The frame certificates, requests and lists share: `SEQUENCE { toBeSigned, algorithm, signature }`.

use crate::der::{self, Reader, tag};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::oid::Oid;
use crate::public_key::PublicKey;

/// A signed structure, with the places of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    der: Vec<u8>,
    /// The signature's algorithm.
    pub algorithm: Oid,
    body_end: usize,
    body_start: usize,
    algorithm_der: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    /// Reads the frame; `what` names the structure.
    pub fn parse(der: &[u8], what: &'static str) -> Result<Self> {
        let mut content = Reader::whole_sequence(der, what)?;
        let body_start = der.len() - content.rest().len();
        let body_end = body_start + content.expect(tag::SEQUENCE)?.encoded.len();
        let algorithm_element = content.expect(tag::SEQUENCE)?;
        let algorithm = algorithm_element.reader(what).object_id()?;
        let signature = content.bits()?.to_vec();
        content.end()?;
        let algorithm_der = algorithm_element.encoded.to_vec();
        Ok(Self {
            der: der.to_vec(),
            algorithm,
            body_start,
            body_end,
            algorithm_der,
            signature,
        })
    }

    /// Signs a body with the key's own algorithm.
    pub fn make(body: Vec<u8>, key: &Key) -> Result<Vec<u8>> {
        let signature = key.sign(&body)?;
        Ok(der::sequence([
            body,
            key.algorithm().signature_identifier(),
            der::bit_string(&signature),
        ]))
    }

    /// The whole structure.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The content of what was signed.
    pub fn body(&self, what: &'static str) -> Result<Reader<'_>> {
        Reader::whole_sequence(self.signed_bytes(), what)
    }

    /// Reads the algorithm inside the body, which must be encoded as the outer one is.
    ///
    /// CFCA writes SM2-with-SM3 with NULL, GM/T 0092 without: both are taken, a mixture is not.
    pub fn check_inner_algorithm(&self, body: &mut Reader<'_>, what: &'static str) -> Result<()> {
        if body.expect(tag::SEQUENCE)?.encoded != self.algorithm_der {
            return Err(Error::malformed(
                what,
                "a signature algorithm outside that differs from the one inside",
            ));
        }
        Ok(())
    }

    /// Whether `key` made the signature.
    pub fn verify(&self, key: &PublicKey) -> Result<bool> {
        key.verify(&self.algorithm, self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> &[u8] {
        &self.der[self.body_start..self.body_end]
    }
}
