//! Signing and verifying (GB/T 32918.2-2016, 6 and 7).

use super::arith::{Arith, P, with_arith};
use super::field;
use super::identity::IdentityTooLong;
use super::key::{PrivateKey, PublicKey, random_scalar};
use super::limbs::{self, Limbs};
use super::multiply::{multiply_base, multiply_two_vartime};
use super::random::{Random, RandomError};
use super::scalar::{N, Scalar};
use super::signature::Signature;
use crate::sm3::Sm3;

impl PrivateKey {
    /// Signs `message` under the signer's identifier.
    pub fn sign(
        &self,
        id: &[u8],
        message: &[u8],
        random: &mut impl Random,
    ) -> Result<Signature, SignError> {
        let digest = message_digest(self.public(), id, message)?;
        Ok(self.sign_digest(&digest, random)?)
    }

    /// Signs e = SM3(Z ‖ message), computed by the caller.
    pub fn sign_digest(
        &self,
        digest: &[u8; 32],
        random: &mut impl Random,
    ) -> Result<Signature, RandomError> {
        with_arith!(A => sign_digest::<A>(self, digest, random))
    }
}

impl PublicKey {
    /// Checks a signature of `message` under the signer's identifier.
    pub fn verify(
        &self,
        id: &[u8],
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        let digest = message_digest(self, id, message)?;
        self.verify_digest(&digest, signature)
    }

    /// Checks a signature of e = SM3(Z ‖ message), computed by the caller. Everything here is public.
    pub fn verify_digest(
        &self,
        digest: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), VerifyError> {
        with_arith!(A => verify_digest::<A>(self, digest, signature))
    }
}

fn message_digest(key: &PublicKey, id: &[u8], message: &[u8]) -> Result<[u8; 32], IdentityTooLong> {
    let mut hash = Sm3::new();
    hash.update(&key.z(id)?);
    hash.update(message);
    Ok(hash.finish())
}

fn sign_digest<A: Arith>(
    key: &PrivateKey,
    digest: &[u8; 32],
    random: &mut impl Random,
) -> Result<Signature, RandomError> {
    let e = Scalar::reduce_be_bytes(digest);
    loop {
        let k = random_scalar(random)?;
        let x1 = field::to_integer::<A>(&multiply_base::<A>(&k).to_affine::<A>().x);
        let r = e.add(&Scalar::reduce(&x1));
        // s = (1 + d)⁻¹·(k − r·d) = (1 + d)⁻¹·(k + r) − r
        let k_plus_r = k.add(&r);
        let s = key.signing_factor().montgomery_mul(&k_plus_r).sub(&r);
        // Step A5 and A6: r and s are public from here on, k + r = 0 is as unlikely as a guess of k.
        if !r.is_zero().or(k_plus_r.is_zero()).or(s.is_zero()).reveal() {
            return Ok(Signature {
                r: r.to_be_bytes(),
                s: s.to_be_bytes(),
            });
        }
    }
}

fn verify_digest<A: Arith>(
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &Signature,
) -> Result<(), VerifyError> {
    let in_range = |bytes| Scalar::from_be_bytes(bytes).filter(|scalar| !scalar.is_zero().reveal());
    let r = in_range(&signature.r).ok_or(VerifyError::Range)?;
    let s = in_range(&signature.s).ok_or(VerifyError::Range)?;
    let t = r.add(&s);
    if t.is_zero().reveal() {
        return Err(VerifyError::Range);
    }
    let sum = multiply_two_vartime::<A>(&s, key.point(), &t);
    if sum.is_infinity().reveal() {
        return Err(VerifyError::Mismatch);
    }
    // Wanted is r = e + x1 mod n with x1 = X/Z². Instead of dividing, compare X with x1·Z² for both x1 below p it can be.
    let x1 = r.sub(&Scalar::reduce_be_bytes(digest));
    let zz = A::sqr(&sum.z);
    let is_x1 = |candidate: &Limbs| A::mul(&field::from_integer::<A>(candidate), &zz) == sum.x;
    let (above, carry) = limbs::add(x1.limbs(), &N);
    let above_is_below_p = carry == 0 && limbs::less_than(&above, &P).reveal();
    if is_x1(x1.limbs()) || (above_is_below_p && is_x1(&above)) {
        Ok(())
    } else {
        Err(VerifyError::Mismatch)
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signer's identifier is too long.
    #[error(transparent)]
    Identity(#[from] IdentityTooLong),
    /// There is no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// r or s is not between 1 and n − 1, or their sum is n.
    #[error("r or s of the signature is out of range")]
    Range,
    /// It is not a signature of this message by this key.
    #[error("the signature does not belong to this message and key")]
    Mismatch,
    /// The signer's identifier is too long.
    #[error(transparent)]
    Identity(#[from] IdentityTooLong),
}

#[cfg(test)]
mod tests {
    use super::super::arith::Portable;
    use super::*;

    fn bytes(hex: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
    }

    /// GB/T 32918.5-2017, A.2.
    fn signs_the_standard_vector<A: Arith>() {
        let key = PrivateKey::from_bytes(&bytes(
            "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8",
        ))
        .expect("key");
        let e = bytes("F0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640");
        let k = bytes("59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21");
        let mut nonce = |out: &mut [u8]| {
            out.copy_from_slice(&k);
            Ok(())
        };
        let signature = sign_digest::<A>(&key, &e, &mut nonce).expect("signature");
        assert_eq!(
            signature.r,
            bytes("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3")
        );
        assert_eq!(
            signature.s,
            bytes("B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA")
        );
        assert_eq!(verify_digest::<A>(key.public(), &e, &signature), Ok(()));
        let mut other = e;
        other[0] ^= 1;
        assert_eq!(
            verify_digest::<A>(key.public(), &other, &signature),
            Err(VerifyError::Mismatch)
        );
    }

    #[test]
    fn portable_code_signs_and_verifies_the_standard_vector() {
        signs_the_standard_vector::<Portable>();
    }

    #[test]
    fn the_detected_code_signs_and_verifies_the_standard_vector() {
        with_arith!(A => signs_the_standard_vector::<A>());
    }
}
