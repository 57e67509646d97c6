//! Integers modulo the group order n. A handful of products per operation, so one portable code serves all processors.

use zeroize::Zeroize;

use super::arith::product;
use super::inverse::Modulus;
use super::limbs::{self, Limbs, Mask};

/// The order n of the group (GB/T 32918.5-2017, 2).
pub(crate) const N: Limbs = [
    0x53bb_f409_39d5_4123,
    0x7203_df6b_21c6_052b,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

const FACTOR: u64 = limbs::montgomery_factor(&N);
const SQUARE_RADIX: Limbs = limbs::montgomery_square_radix(&N);

/// An integer below n. Wiped when dropped, as most of them are secrets.
#[derive(Clone)]
pub(crate) struct Scalar(Limbs);

impl Scalar {
    /// The integer of 32 bytes, most significant first, if it is below n. Whether it is, is public.
    pub(crate) fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let limbs = limbs::from_be_bytes(bytes);
        limbs::less_than(&limbs, &N).reveal().then_some(Self(limbs))
    }

    /// The integer of 32 bytes modulo n.
    pub(crate) fn reduce_be_bytes(bytes: &[u8; 32]) -> Self {
        Self::reduce(&limbs::from_be_bytes(bytes))
    }

    /// A 256-bit integer modulo n; once is enough, since 2^256 < 2n.
    pub(crate) fn reduce(value: &Limbs) -> Self {
        Self(limbs::reduce_once(value, 0, &N))
    }

    /// A small integer.
    pub(crate) const fn from_u64(value: u64) -> Self {
        Self([value, 0, 0, 0])
    }

    pub(crate) fn to_be_bytes(&self) -> [u8; 32] {
        limbs::to_be_bytes(&self.0)
    }

    pub(crate) fn limbs(&self) -> &Limbs {
        &self.0
    }

    pub(crate) fn is_zero(&self) -> Mask {
        limbs::is_zero(&self.0)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(limbs::add_mod(&self.0, &other.0, &N))
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        Self(limbs::sub_mod(&self.0, &other.0, &N))
    }

    /// n − self where the mask is set, which is n for zero.
    pub(crate) fn negated_where(&self, mask: Mask) -> Self {
        let negated = Self(limbs::subtract(&N, &self.0).0);
        Self(limbs::select(mask, &negated.0, &self.0))
    }

    /// self·other mod n.
    pub(crate) fn mul(&self, other: &Self) -> Self {
        self.to_montgomery().montgomery_mul(other)
    }

    /// self·2^256 mod n: a factor kept in this form saves half of each later product.
    pub(crate) fn to_montgomery(&self) -> Self {
        self.montgomery_mul(&Self(SQUARE_RADIX))
    }

    /// self·other / 2^256 mod n.
    pub(crate) fn montgomery_mul(&self, other: &Self) -> Self {
        Self(montgomery_reduce(product(&self.0, &other.0)))
    }

    /// 1/self in Montgomery form; zero gives zero. The time does not depend on self.
    pub(crate) fn invert_to_montgomery(&self) -> Self {
        const MODULUS: Modulus = Modulus::new(&N);
        Self(MODULUS.invert(&self.0)).to_montgomery()
    }
}

impl Drop for Scalar {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[inline]
fn montgomery_reduce(mut t: [u64; 8]) -> Limbs {
    let mut overflow = 0;
    for i in 0..4 {
        let m = t[i].wrapping_mul(FACTOR);
        let mut carry = 0;
        for j in 0..4 {
            (t[i + j], carry) = m.carrying_mul_add(N[j], t[i + j], carry);
        }
        let (sum, c0) = t[i + 4].overflowing_add(carry);
        let (sum, c1) = sum.overflowing_add(overflow);
        t[i + 4] = sum;
        overflow = u64::from(c0 | c1);
    }
    limbs::reduce_once(&[t[4], t[5], t[6], t[7]], overflow, &N)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scalar(limbs: &Limbs) -> Scalar {
        Scalar::reduce(limbs)
    }

    proptest! {
        #[test]
        fn products_distribute_and_inverses_undo(a: Limbs, b: Limbs, c: Limbs) {
            let (a, b, c) = (scalar(&a), scalar(&b), scalar(&c));
            prop_assert_eq!(a.mul(&b.add(&c)).0, a.mul(&b).add(&a.mul(&c)).0);
            prop_assert_eq!(a.sub(&b).add(&b).0, a.0);
            prop_assert_eq!(a.mul(&Scalar::from_u64(3)).0, a.add(&a).add(&a).0);
            if !a.is_zero().reveal() {
                prop_assert_eq!(a.invert_to_montgomery().montgomery_mul(&a).0, Scalar::from_u64(1).0);
            }
        }
    }

    #[test]
    fn the_order_and_its_neighbours_are_reduced() {
        assert!(scalar(&N).is_zero().reveal());
        let last = limbs::subtract(&N, &[1, 0, 0, 0]).0;
        assert_eq!(scalar(&last).add(&Scalar::from_u64(1)).0, limbs::ZERO);
        assert_eq!(scalar(&last).mul(&scalar(&last)).0, [1, 0, 0, 0]);
        assert!(Scalar::from_be_bytes(&limbs::to_be_bytes(&N)).is_none());
    }
}
