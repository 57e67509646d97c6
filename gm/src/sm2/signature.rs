//! A signature as a value, in DER and as 64 bytes.

use super::der::{self, DerError, Reader};

/// The pair (r, s). Whether each is between 1 and n − 1 is for verification to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// r, most significant byte first.
    pub r: [u8; 32],
    /// s, most significant byte first.
    pub s: [u8; 32],
}

impl Signature {
    /// Reads SEQUENCE { r INTEGER, s INTEGER } (GM/T 0009-2012, 7.3). Refuses trailing bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::of_sequence(bytes)?;
        let signature = Self {
            r: reader.integer()?,
            s: reader.integer()?,
        };
        reader.end()?;
        Ok(signature)
    }

    /// The DER encoding, at most 72 bytes.
    pub fn to_der(&self) -> Vec<u8> {
        let mut content = Vec::with_capacity(70);
        der::write_integer(&mut content, &self.r);
        der::write_integer(&mut content, &self.s);
        der::sequence(&content)
    }

    /// Reads r ‖ s.
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r.copy_from_slice(&bytes[..32]);
        s.copy_from_slice(&bytes[32..]);
        Self { r, s }
    }

    /// r ‖ s.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut out = [0; 64];
        out[..32].copy_from_slice(&self.r);
        out[32..].copy_from_slice(&self.s);
        out
    }
}

/// Why bytes are no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an SM2 signature: {0}")]
pub struct SignatureError(#[from] DerError);
