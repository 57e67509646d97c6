//! Lists of revoked certificates (RFC 5280 §5), signed with the authority's key.

use super::Validity;
use crate::der;
use crate::error::{Error, Result};
use crate::extension;
use crate::key::Key;
use crate::name::Name;
use crate::pem;
use crate::signed::Signed;
use crate::time::{DAY, Time};

/// A certificate's serial number: positive, at most 20 bytes (RFC 5280 §4.1.2.2).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// A random number of 127 bits: unique without bookkeeping, and unpredictable.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        openssl::rand::rand_bytes(&mut bytes).map_err(Error::crypto("make a serial number"))?;
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Ok(Self(bytes.to_vec()))
    }

    /// From the digits of a certificate, big-endian.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().copied().skip_while(|&b| b == 0).collect())
    }

    /// From hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self> {
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<u8>> = if digits.len().is_multiple_of(2) {
            digits.chunks(2).map(pair).collect()
        } else {
            None
        };
        bytes.map(|bytes| Self::from_bytes(&bytes)).ok_or_else(|| {
            Error::Refused(format!(
                "`{text}` is not a serial number; an even number of hexadecimal digits is expected"
            ))
        })
    }

    /// Big-endian digits.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

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
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
    ];

    /// The code of RFC 5280.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
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

/// An encoded revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl(Vec<u8>);

impl Crl {
    pub(super) fn sign(
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
        Signed::make(der::sequence(parts), key).map(Self)
    }

    /// The DER encoding.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The PEM encoding.
    pub fn to_pem(&self) -> String {
        pem::encode("X509 CRL", &self.0)
    }
}
