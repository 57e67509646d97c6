//! Lists of revoked certificates (RFC 5280 §5), written and read.

use crate::der::{self, Reader, tag};
use crate::error::Result;
use crate::extension::{self, Extensions};
use crate::issue::{Serial, Validity};
use crate::key::Key;
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::pem;
use crate::public_key::PublicKey;
use crate::signed::Signed;
use crate::time::{DAY, Time};

/// Why a certificate was revoked (RFC 5280 §5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No reason given.
    Unspecified,
    /// The private key became known.
    KeyCompromise,
    /// The subject's names or affiliation changed.
    AffiliationChanged,
    /// A newer certificate replaces it.
    Superseded,
    /// It is not needed any more.
    CessationOfOperation,
    /// Another code, seen in somebody's list.
    Other(u8),
}

impl Reason {
    /// Every reason that can be given.
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The reason of a code.
    pub fn from_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|reason| reason.code() == code)
            .unwrap_or(Self::Other(code))
    }

    /// The reason of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// The code of RFC 5280.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::Other(code) => code,
        }
    }

    /// The name for people and for the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::Other(_) => "another reason",
        }
    }
}

/// One line of a revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Which certificate.
    pub serial: Serial,
    /// When.
    pub at: Time,
    /// Why.
    pub reason: Reason,
}

impl Revoked {
    /// Revoked now, for no stated reason.
    pub fn now(serial: &Serial) -> Self {
        Self {
            serial: serial.clone(),
            at: Time::now(),
            reason: Reason::Unspecified,
        }
    }

    fn parse(mut entry: Reader<'_>) -> Result<Self> {
        let serial = Serial::from_bytes(entry.unsigned()?);
        let at = Time::from_der(&entry.any()?)?;
        let mut reason = Reason::Unspecified;
        if let Some(extensions) = entry.optional(tag::SEQUENCE)? {
            let extensions = Extensions::parse(extensions.reader(WHAT))?;
            let stated = extensions
                .all
                .iter()
                .find(|extension| extension.oid == oid::CRL_REASON);
            if let Some(stated) = stated {
                let code = Reader::new(&stated.value, "a revocation reason")
                    .expect(tag::ENUMERATED)?
                    .content;
                reason = code
                    .first()
                    .copied()
                    .map_or(Reason::Unspecified, Reason::from_code);
            }
        }
        Ok(Self { serial, at, reason })
    }

    fn to_der(&self) -> Vec<u8> {
        let mut parts = vec![der::unsigned(self.serial.bytes()), self.at.to_der()];
        // RFC 5280 §5.3.1: "unspecified" is said by leaving the extension out.
        if self.reason != Reason::Unspecified {
            parts.push(der::sequence([extension::crl_reason(self.reason.code())]));
        }
        der::sequence(parts)
    }
}

/// What a list shall say besides its entries.
#[derive(Debug, Clone, Copy)]
pub struct CrlPlan {
    /// Its number, which grows from list to list.
    pub number: u64,
    /// When it was made, and when the next is due.
    pub validity: Validity,
}

impl CrlPlan {
    /// List number `number`, made a minute ago, good for a week.
    pub fn weekly(number: u64) -> Self {
        let now = Time::now();
        Self {
            number,
            validity: Validity {
                not_before: now.plus(-60),
                not_after: now.plus(7 * DAY),
            },
        }
    }
}

/// A revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    signed: Signed,
    /// Who revoked.
    pub issuer: Name,
    /// When it was made.
    pub this_update: Time,
    /// When the next is due.
    pub next_update: Option<Time>,
    /// The revoked certificates.
    pub revoked: Vec<Revoked>,
    /// The list's own extensions.
    pub extensions: Extensions,
}

const WHAT: &str = "a revocation list";

impl Crl {
    pub(crate) fn sign(
        plan: &CrlPlan,
        revoked: &[Revoked],
        issuer: &Name,
        key_id: &[u8],
        key: &Key,
    ) -> Result<Self> {
        const VERSION_2: u64 = 1;
        let mut parts = vec![
            der::integer(VERSION_2),
            key.algorithm().signature_identifier(),
            issuer.to_der(),
            plan.validity.not_before.to_der(),
            plan.validity.not_after.to_der(),
        ];
        // RFC 5280 §5.1.2.6: an empty list is left out.
        if !revoked.is_empty() {
            parts.push(der::sequence(revoked.iter().map(Revoked::to_der)));
        }
        let extensions = [
            extension::authority_key_id(key_id),
            extension::crl_number(plan.number),
        ];
        parts.push(der::explicit(0, der::sequence(extensions)));
        Self::from_der(&Signed::make(der::sequence(parts), key)?)
    }

    /// Reads DER; the signature is not checked yet.
    pub fn from_der(der: &[u8]) -> Result<Self> {
        let signed = Signed::parse(der, WHAT)?;
        let mut body = signed.body(WHAT)?;
        if body.peek() == Some(tag::INTEGER) {
            body.small()?;
        }
        signed.check_inner_algorithm(&mut body, WHAT)?;
        let issuer = Name::from_der(body.expect(tag::SEQUENCE)?.encoded)?;
        let this_update = Time::from_der(&body.any()?)?;
        let next_update = match body.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(Time::from_der(&body.any()?)?),
            _ => None,
        };
        let mut revoked = Vec::new();
        if let Some(list) = body.optional(tag::SEQUENCE)? {
            let mut list = list.reader(WHAT);
            while !list.is_empty() {
                revoked.push(Revoked::parse(list.sequence()?)?);
            }
        }
        let extensions = match body.optional(tag::context_constructed(0))? {
            Some(wrapped) => Extensions::parse(wrapped.reader(WHAT).sequence()?)?,
            None => Extensions::default(),
        };
        body.end()?;
        Ok(Self {
            signed,
            issuer,
            this_update,
            next_update,
            revoked,
            extensions,
        })
    }

    /// Reads a PEM text or DER.
    pub fn from_pem_or_der(bytes: &[u8]) -> Result<Self> {
        let is_wanted = |label: &str| matches!(label, "X509 CRL" | "CRL");
        Self::from_der(&pem::unwrap(bytes, WHAT, is_wanted)?)
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        self.signed.der()
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> String {
        pem::encode("X509 CRL", self.der())
    }

    /// The algorithm of its signature.
    pub fn signature_algorithm(&self) -> &Oid {
        &self.signed.algorithm
    }

    /// Whether `key` signed it.
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<bool> {
        self.signed.verify(key)
    }

    /// The entry of a certificate, if it is revoked.
    pub fn find(&self, serial: &Serial) -> Option<&Revoked> {
        self.revoked.iter().find(|entry| entry.serial == *serial)
    }
}
