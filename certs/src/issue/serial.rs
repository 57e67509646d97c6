//! Serial numbers of certificates.

use crate::error::{Error, Result};

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
