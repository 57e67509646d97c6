//! A ciphertext as a value and in its three encodings.

use super::der::{self, DerError, Reader};
use super::encoding::PointError;
use super::key::PublicKey;

/// C1 (a point), C3 (a digest) and C2 (the masked message), of GB/T 32918.4-2016.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    pub(super) c1: PublicKey,
    pub(super) c3: [u8; 32],
    pub(super) c2: Vec<u8>,
}

impl Ciphertext {
    /// Reads SEQUENCE { x INTEGER, y INTEGER, C3 OCTET STRING, C2 OCTET STRING } (GM/T 0009-2012, 7.2). Refuses
    /// trailing bytes and points that are not on the curve.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CiphertextError> {
        let mut reader = Reader::of_sequence(bytes)?;
        let (x, y) = (reader.integer()?, reader.integer()?);
        let c3 = reader.octets()?;
        let c2 = reader.octets()?;
        reader.end()?;
        let c3 = c3
            .try_into()
            .map_err(|_| CiphertextError::Digest(c3.len()))?;
        Self::new(PublicKey::from_coordinates(&x, &y)?, c3, c2)
    }

    /// The DER encoding.
    pub fn to_der(&self) -> Vec<u8> {
        let point = self.c1.to_uncompressed();
        let (mut x, mut y) = ([0; 32], [0; 32]);
        x.copy_from_slice(&point[1..33]);
        y.copy_from_slice(&point[33..]);
        let mut content = Vec::with_capacity(self.c2.len() + 110);
        der::write_integer(&mut content, &x);
        der::write_integer(&mut content, &y);
        der::write_octets(&mut content, &self.c3);
        der::write_octets(&mut content, &self.c2);
        der::sequence(&content)
    }

    /// Length of the longest DER encoding of a ciphertext of a message of `message` bytes.
    pub fn max_der_len(message: usize) -> usize {
        let wrapped =
            |length: usize| 2 + usize::from(length > 0x7f) * der::length_octets(length) + length;
        wrapped(2 * wrapped(33) + wrapped(32) + wrapped(message))
    }

    /// Reads C1 ‖ C3 ‖ C2, the order of the standard since 2012. C1 is a point with its form byte, compressed or not.
    pub fn from_c1c3c2(bytes: &[u8]) -> Result<Self, CiphertextError> {
        let (c1, rest) = split_point(bytes)?;
        let (c3, c2) = rest
            .split_first_chunk()
            .ok_or(CiphertextError::Short(bytes.len()))?;
        Self::new(c1, *c3, c2)
    }

    /// Reads C1 ‖ C2 ‖ C3, the order of the drafts before 2012, which old products still write.
    pub fn from_c1c2c3(bytes: &[u8]) -> Result<Self, CiphertextError> {
        let (c1, rest) = split_point(bytes)?;
        let (c2, c3) = rest
            .split_last_chunk()
            .ok_or(CiphertextError::Short(bytes.len()))?;
        Self::new(c1, *c3, c2)
    }

    /// C1 ‖ C3 ‖ C2 with an uncompressed point.
    pub fn to_c1c3c2(&self) -> Vec<u8> {
        [&self.c1.to_uncompressed()[..], &self.c3, &self.c2].concat()
    }

    /// C1 ‖ C2 ‖ C3 with an uncompressed point.
    pub fn to_c1c2c3(&self) -> Vec<u8> {
        [&self.c1.to_uncompressed()[..], &self.c2, &self.c3].concat()
    }

    /// Length of the message inside, in bytes; at least one.
    pub fn message_len(&self) -> usize {
        self.c2.len()
    }

    fn new(c1: PublicKey, c3: [u8; 32], c2: &[u8]) -> Result<Self, CiphertextError> {
        if c2.is_empty() {
            Err(CiphertextError::Empty)
        } else {
            Ok(Self {
                c1,
                c3,
                c2: c2.to_vec(),
            })
        }
    }
}

/// The point at the start of `bytes`, as long as its form byte says, and the rest.
fn split_point(bytes: &[u8]) -> Result<(PublicKey, &[u8]), CiphertextError> {
    let length = match bytes.first() {
        Some(2 | 3) => 33,
        _ => 65,
    };
    let (point, rest) = bytes
        .split_at_checked(length)
        .ok_or(CiphertextError::Short(bytes.len()))?;
    Ok((PublicKey::from_bytes(point)?, rest))
}

/// Why bytes are no ciphertext. Nothing here depends on a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CiphertextError {
    /// The DER structure is not that of a ciphertext.
    #[error("not an SM2 ciphertext: {0}")]
    Der(#[from] DerError),
    /// C1 is no point.
    #[error("not an SM2 ciphertext: {0}")]
    Point(#[from] PointError),
    /// C3 is not the length of an SM3 digest.
    #[error("not an SM2 ciphertext: C3 has {0} bytes, not 32")]
    Digest(usize),
    /// There is not even room for a point and a digest.
    #[error("not an SM2 ciphertext: {0} bytes are too short for one")]
    Short(usize),
    /// It holds no message.
    #[error("not an SM2 ciphertext: C2 is empty")]
    Empty,
}
