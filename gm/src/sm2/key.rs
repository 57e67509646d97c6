//! Keys: a point, and the secret scalar behind it.

use std::sync::OnceLock;

use zeroize::{Zeroize, Zeroizing};

use super::arith::with_arith;
use super::encoding::{self, PointError};
use super::limbs;
use super::multiply::multiply_base;
use super::point::Affine;
use super::random::{Random, RandomError};
use super::scalar::{N, Scalar};

/// A public key: a finite point of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    point: Affine,
}

impl PublicKey {
    /// Reads a point, compressed (33 bytes) or uncompressed (65 bytes), and checks that it is on the curve.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PointError> {
        encoding::decode(bytes).map(|point| Self { point })
    }

    /// Reads two coordinates of 32 bytes, and checks that they are a point of the curve.
    pub fn from_coordinates(x: &[u8], y: &[u8]) -> Result<Self, PointError> {
        encoding::decode_coordinates(x, y).map(|point| Self { point })
    }

    /// 04 ‖ x ‖ y.
    pub fn to_uncompressed(&self) -> [u8; 65] {
        let mut out = [4; 65];
        out[1..].copy_from_slice(&encoding::encode_coordinates(&self.point));
        out
    }

    /// 02 or 03 ‖ x.
    pub fn to_compressed(&self) -> [u8; 33] {
        let coordinates = encoding::encode_coordinates(&self.point);
        let mut out = [2 | (coordinates[63] & 1); 33];
        out[1..].copy_from_slice(&coordinates[..32]);
        out
    }

    pub(super) fn from_point(point: Affine) -> Self {
        Self { point }
    }

    pub(super) fn point(&self) -> &Affine {
        &self.point
    }
}

/// A private key: an integer d with 1 ≤ d ≤ n − 2, and its public key. Wiped when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    d: Scalar,
    public: PublicKey,
    /// (1 + d)⁻¹ in Montgomery form: what a signature needs of the key, made at the first one.
    signing_factor: OnceLock<Scalar>,
}

impl PrivateKey {
    /// Takes d as 32 bytes, most significant first, and computes the public key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        Scalar::from_be_bytes(bytes)
            .and_then(Self::from_scalar)
            .ok_or(KeyError::Range)
    }

    /// Makes a new key.
    pub fn generate(random: &mut impl Random) -> Result<Self, RandomError> {
        loop {
            if let Some(key) = Self::from_scalar(random_scalar(random)?) {
                return Ok(key);
            }
        }
    }

    /// d as 32 bytes, most significant first.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.d.to_be_bytes())
    }

    /// The public key d·G.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Fails for 0 and n − 1: with the first there is no point, with the second 1 + d has no inverse.
    fn from_scalar(d: Scalar) -> Option<Self> {
        let highest = limbs::subtract(&N, &[1, 0, 0, 0]).0;
        if d.is_zero().or(limbs::equal(d.limbs(), &highest)).reveal() {
            return None;
        }
        let point = with_arith!(A => multiply_base::<A>(&d).to_affine::<A>());
        Some(Self {
            d,
            public: PublicKey { point },
            signing_factor: OnceLock::new(),
        })
    }

    pub(super) fn d(&self) -> &Scalar {
        &self.d
    }

    pub(super) fn signing_factor(&self) -> &Scalar {
        self.signing_factor
            .get_or_init(|| self.d.add(&Scalar::from_u64(1)).invert_to_montgomery())
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrivateKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

/// A uniform scalar with 1 ≤ k ≤ n − 1. Values out of range are thrown away, which says nothing about the one kept.
pub(super) fn random_scalar(random: &mut impl Random) -> Result<Scalar, RandomError> {
    let mut bytes = Zeroizing::new([0; 32]);
    loop {
        random.fill(bytes.as_mut())?;
        if let Some(scalar) = Scalar::from_be_bytes(&bytes)
            && !scalar.is_zero().reveal()
        {
            bytes.zeroize();
            return Ok(scalar);
        }
    }
}

/// Why bytes are no private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Zero, or above n − 2.
    #[error("the private key is not between 1 and n - 2")]
    Range,
}
