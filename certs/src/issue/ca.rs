//! A certificate authority in memory.

use super::template::{Template, key_id};
use super::{Certificate, Crl, CrlPlan, Issued, Leaf, Pair, Revoked, Serial, Validity};
use crate::algorithm::Algorithm;
use crate::error::{Error, Result};
use crate::extension::{self, KeyUsage};
use crate::key::Key;
use crate::name::Name;
use crate::public_key::PublicKey;

/// An authority: its certificate, its key, and the intermediates above it.
#[derive(Debug, Clone)]
pub struct Ca {
    name: Name,
    certificate: Certificate,
    key: Key,
    key_id: Vec<u8>,
    /// From this authority upwards, without the root; empty for a root.
    chain: Vec<Certificate>,
}

impl Ca {
    /// A new self-signed root with this common name, good for ten years.
    pub fn root(algorithm: Algorithm, common_name: &str) -> Result<Self> {
        Self::root_named(
            Key::generate(algorithm)?,
            Name::common(common_name),
            Validity::days(3650),
        )
    }

    /// A new self-signed root from its key.
    pub fn root_named(key: Key, name: Name, validity: Validity) -> Result<Self> {
        let public_key_info = key.public_key_info()?;
        let key_id = key_id(&public_key_info)?;
        let serial = Serial::random()?;
        let extensions = authority_extensions(&key_id, &key_id, None);
        let template = Template {
            serial: &serial,
            issuer: &name,
            subject: &name,
            validity,
            public_key_info: &public_key_info,
            extensions,
        };
        let certificate = template.sign(&key)?;
        Ok(Self {
            name,
            certificate,
            key,
            key_id,
            chain: Vec::new(),
        })
    }

    /// A new intermediate below this authority, with a key of the same algorithm, good for five years.
    pub fn intermediate(&self, common_name: &str) -> Result<Self> {
        self.intermediate_named(
            Key::generate(self.key.algorithm())?,
            Name::common(common_name),
            Validity::days(1825),
        )
    }

    /// A new intermediate below this authority, from its key. It may issue end entities only.
    pub fn intermediate_named(&self, key: Key, name: Name, validity: Validity) -> Result<Self> {
        let public_key_info = key.public_key_info()?;
        let key_id = key_id(&public_key_info)?;
        let serial = Serial::random()?;
        let extensions = authority_extensions(&key_id, &self.key_id, Some(0));
        let template = Template {
            serial: &serial,
            issuer: &self.name,
            subject: &name,
            validity,
            public_key_info: &public_key_info,
            extensions,
        };
        let certificate = template.sign(&self.key)?;
        let mut chain = vec![certificate.clone()];
        chain.extend(self.chain.iter().cloned());
        Ok(Self {
            name,
            certificate,
            key,
            key_id,
            chain,
        })
    }

    /// An authority that exists: its key, its certificate, and the intermediates from itself upwards (empty for a root).
    pub fn existing(key: Key, certificate: Certificate, chain: Vec<Certificate>) -> Result<Self> {
        if key.public_key()? != certificate.public_key {
            return Err(Error::Refused(format!(
                "the key does not belong to the certificate of `{}`",
                certificate.subject
            )));
        }
        if !certificate.is_authority() {
            return Err(Error::Refused(format!(
                "the certificate of `{}` is not that of an authority (no CA:TRUE)",
                certificate.subject
            )));
        }
        let name = certificate.subject.clone();
        let key_id = match &certificate.extensions.subject_key_id {
            Some(id) => id.clone(),
            None => key_id(certificate.public_key.info())?,
        };
        Ok(Self {
            name,
            certificate,
            key,
            key_id,
            chain,
        })
    }

    /// The intermediates from this authority upwards, without the root; empty for a root.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The authority's own certificate: what peers trust.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The authority's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// A single certificate with a new key: digitalSignature for SM2, digitalSignature and keyEncipherment otherwise.
    pub fn issue(&self, algorithm: Algorithm, leaf: &Leaf) -> Result<Issued> {
        let key = Key::generate(algorithm)?;
        let usage = Self::usage_for(&key.public_key()?);
        self.issue_with(key, leaf, usage)
    }

    /// The encryption half of a pair alone, with a new key: the signing key is somebody else's.
    pub fn issue_encryption(&self, leaf: &Leaf) -> Result<Issued> {
        self.issue_with(Key::generate(Algorithm::Sm2)?, leaf, KeyUsage::ENCRYPT)
    }

    /// The key usage of a single certificate for such a key.
    pub fn usage_for(key: &PublicKey) -> KeyUsage {
        match key.pkey().id() {
            openssl::pkey::Id::RSA => KeyUsage::ORDINARY,
            _ if key.is_sm2() => KeyUsage::SIGN,
            _ => KeyUsage::DIGITAL_SIGNATURE,
        }
    }

    /// A TLCP pair with new SM2 keys: same subject and names, usage split between the halves.
    pub fn issue_pair(&self, leaf: &Leaf) -> Result<Pair> {
        Ok(Pair {
            sign: self.issue_with(Key::generate(Algorithm::Sm2)?, leaf, KeyUsage::SIGN)?,
            encrypt: self.issue_with(Key::generate(Algorithm::Sm2)?, leaf, KeyUsage::ENCRYPT)?,
        })
    }

    /// A list of revoked certificates.
    pub fn crl(&self, plan: &CrlPlan, revoked: &[Revoked]) -> Result<Crl> {
        Crl::sign(plan, revoked, &self.name, &self.key_id, &self.key)
    }

    fn issue_with(&self, key: Key, leaf: &Leaf, usage: KeyUsage) -> Result<Issued> {
        let serial = Serial::random()?;
        let certificate = self.certify(&key.public_key_info()?, leaf, usage, &serial)?;
        Ok(Issued {
            certificate,
            key,
            chain: self.chain.clone(),
            serial,
        })
    }

    /// Certifies somebody else's public key (a SubjectPublicKeyInfo in DER).
    pub fn certify(
        &self,
        public_key_info: &[u8],
        leaf: &Leaf,
        usage: KeyUsage,
        serial: &Serial,
    ) -> Result<Certificate> {
        let template = Template {
            serial,
            issuer: &self.name,
            subject: &leaf.subject,
            validity: leaf.validity,
            public_key_info,
            extensions: leaf_extensions(leaf, usage, &key_id(public_key_info)?, &self.key_id),
        };
        template.sign(&self.key)
    }
}

fn authority_extensions(own_id: &[u8], issuer_id: &[u8], path_length: Option<u8>) -> Vec<Vec<u8>> {
    vec![
        extension::authority(path_length),
        extension::key_usage(KeyUsage::AUTHORITY),
        extension::subject_key_id(own_id),
        extension::authority_key_id(issuer_id),
    ]
}

fn leaf_extensions(leaf: &Leaf, usage: KeyUsage, own_id: &[u8], issuer_id: &[u8]) -> Vec<Vec<u8>> {
    let mut extensions = vec![
        extension::key_usage(leaf.usage.unwrap_or(usage)),
        extension::extended_key_usage(&leaf.role.purposes()),
        extension::subject_key_id(own_id),
        extension::authority_key_id(issuer_id),
    ];
    if !leaf.names.is_empty() {
        extensions.push(extension::alt_names(&leaf.names));
    }
    extensions.extend(leaf.crl_url.as_deref().map(extension::crl_distribution));
    extensions.extend(leaf.ocsp_url.as_deref().map(extension::ocsp_access));
    extensions
}
