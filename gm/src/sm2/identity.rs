//! The distinguishing identifier of a signer and the value Z that binds it to a key (GB/T 32918.2-2016, 5.5).

use super::field::{self, B};
use super::key::PublicKey;
use super::limbs::{self, Limbs};
use super::point::Affine;
use crate::sm2::arith::{Arith, P, with_arith};
use crate::sm3::Sm3;

/// The identifier where nothing else is agreed (GM/T 0009-2012, 10): certificates, CRLs, TLCP.
pub const DEFAULT_ID: &[u8] = b"1234567812345678";

/// The identifier of TLS 1.3 CertificateVerify (RFC 8998, 3.2.1).
pub const TLS13_ID: &[u8] = b"TLSv1.3+GM+Cipher+Suite";

/// The identifier is longer than the two-byte length in bits can say: more than 8191 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identifier has {0} bytes; at most 8191 are possible")]
pub struct IdentityTooLong(pub usize);

impl PublicKey {
    /// Z = SM3(ENTL ‖ ID ‖ a ‖ b ‖ xG ‖ yG ‖ x ‖ y).
    pub fn z(&self, id: &[u8]) -> Result<[u8; 32], IdentityTooLong> {
        let bits = u16::try_from(id.len() * 8).map_err(|_| IdentityTooLong(id.len()))?;
        let mut hash = Sm3::new();
        hash.update(&bits.to_be_bytes());
        hash.update(id);
        hash.update(curve_bytes());
        hash.update(&self.to_uncompressed()[1..]);
        Ok(hash.finish())
    }
}

/// a ‖ b ‖ xG ‖ yG.
fn curve_bytes() -> &'static [u8; 128] {
    static BYTES: std::sync::OnceLock<[u8; 128]> = std::sync::OnceLock::new();
    BYTES.get_or_init(|| with_arith!(A => make_curve_bytes::<A>()))
}

fn make_curve_bytes<A: Arith>() -> [u8; 128] {
    let a: Limbs = limbs::subtract(&P, &[3, 0, 0, 0]).0;
    let g = Affine::generator::<A>();
    let values = [
        a,
        B,
        field::to_integer::<A>(&g.x),
        field::to_integer::<A>(&g.y),
    ];
    let mut out = [0; 128];
    for (bytes, value) in out.chunks_exact_mut(32).zip(&values) {
        bytes.copy_from_slice(&limbs::to_be_bytes(value));
    }
    out
}
