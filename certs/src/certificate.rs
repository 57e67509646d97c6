//! A certificate, read (RFC 5280 §4.1): every field this crate's commands look at.

use crate::der::{Reader, tag};
use crate::error::{Error, Result};
use crate::extension::Extensions;
use crate::issue::{Serial, Validity};
use crate::name::Name;
use crate::oid::Oid;
use crate::pem;
use crate::public_key::PublicKey;
use crate::signed::Signed;
use crate::time::Time;

/// A certificate with its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    signed: Signed,
    /// The version as people count it: 3 for every current certificate.
    pub version: u64,
    /// The serial number.
    pub serial: Serial,
    /// Who signed it.
    pub issuer: Name,
    /// Whom it is about.
    pub subject: Name,
    /// When it holds.
    pub validity: Validity,
    /// The certified key.
    pub public_key: PublicKey,
    /// The extensions.
    pub extensions: Extensions,
}

impl Certificate {
    /// Reads DER.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let signed = Signed::parse(der, "a certificate")?;
        let mut body = signed.body("a certificate")?;
        let version = read_version(&mut body)?;
        let serial = Serial::from_bytes(body.unsigned()?);
        signed.check_inner_algorithm(&mut body, "a certificate")?;
        let issuer = Name::from_der(body.expect(tag::SEQUENCE)?.encoded)?;
        let validity = read_validity(body.sequence()?)?;
        let subject = Name::from_der(body.expect(tag::SEQUENCE)?.encoded)?;
        let public_key = PublicKey::from_info(body.expect(tag::SEQUENCE)?.encoded)?;
        // issuerUniqueID and subjectUniqueID: never seen, forbidden by RFC 5280 §4.1.2.8, skipped.
        body.optional(tag::context(1))?;
        body.optional(tag::context(2))?;
        let extensions = match body.optional(tag::context_constructed(3))? {
            Some(wrapped) => Extensions::parse(
                wrapped
                    .reader("the extensions of a certificate")
                    .sequence()?,
            )?,
            None => Extensions::default(),
        };
        body.end()?;
        Ok(Self {
            signed,
            version,
            serial,
            issuer,
            subject,
            validity,
            public_key,
            extensions,
        })
    }

    /// Reads every certificate of a PEM text, or the one of a DER file; `[]` is never returned.
    pub fn from_pem_or_der(bytes: &[u8]) -> Result<Vec<Self>> {
        let blocks = match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("-----BEGIN") => pem::decode_all(text)?,
            _ => return Ok(vec![Self::from_der(bytes)?]),
        };
        let labels: Vec<_> = blocks.iter().map(|block| block.label.clone()).collect();
        let is_certificate =
            |block: &pem::Block| matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE");
        let found: Result<Vec<_>> = blocks
            .iter()
            .filter(|block| is_certificate(block))
            .map(|block| Self::from_der(&block.content))
            .collect();
        match found {
            Ok(found) if found.is_empty() => Err(Error::malformed(
                "a certificate",
                format!("PEM with {}", pem::describe(&labels)),
            )),
            found => found,
        }
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        self.signed.der()
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", self.der())
    }

    /// The certificate as Tongsuo holds it.
    pub fn to_x509(&self) -> Result<openssl::x509::X509> {
        openssl::x509::X509::from_der(self.der()).map_err(Error::crypto("read the certificate"))
    }

    /// The algorithm of the issuer's signature.
    pub fn signature_algorithm(&self) -> &Oid {
        &self.signed.algorithm
    }

    /// Whether `key` made this certificate's signature.
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<bool> {
        self.signed.verify(key)
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it may sign certificates.
    pub fn is_authority(&self) -> bool {
        self.extensions.authority == Some(true)
    }

    /// Whether `at` lies within its validity.
    pub fn holds_at(&self, at: Time) -> bool {
        (self.validity.not_before..=self.validity.not_after).contains(&at)
    }
}

fn read_version(body: &mut Reader<'_>) -> Result<u64> {
    match body.optional(tag::context_constructed(0))? {
        Some(version) => Ok(version.reader("a certificate").small()?.saturating_add(1)),
        None => Ok(1),
    }
}

fn read_validity(mut content: Reader<'_>) -> Result<Validity> {
    let not_before = Time::from_der(&content.any()?)?;
    let not_after = Time::from_der(&content.any()?)?;
    content.end()?;
    Ok(Validity {
        not_before,
        not_after,
    })
}
