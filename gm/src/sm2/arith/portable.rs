//! Field multiplication for any 64-bit processor, and the schoolbook product the scalars share.

use super::{Arith, P};
use crate::sm2::limbs::{self, Limbs, Mask};
use crate::sm2::point::Affine;

/// The implementation without instructions of one processor.
pub(crate) struct Portable;

impl Arith for Portable {
    #[inline]
    fn mul(a: &Limbs, b: &Limbs) -> Limbs {
        reduce(product(a, b))
    }

    #[inline]
    fn sqr(a: &Limbs) -> Limbs {
        reduce(product(a, a))
    }

    #[inline]
    fn add(a: &Limbs, b: &Limbs) -> Limbs {
        let (sum, carry) = limbs::add(a, b);
        limbs::reduce_once(&sum, carry, &P)
    }

    #[inline]
    fn sub(a: &Limbs, b: &Limbs) -> Limbs {
        limbs::sub_mod(a, b, &P)
    }

    #[inline]
    fn half(a: &Limbs) -> Limbs {
        let odd = Mask::from_bit(a[0] & 1);
        let (sum, carry) = limbs::add(a, &limbs::keep(odd, &P));
        std::array::from_fn(|i| sum[i] >> 1 | sum.get(i + 1).unwrap_or(&carry) << 63)
    }

    #[inline]
    fn select(mask: Mask, a: &Limbs, b: &Limbs) -> Limbs {
        limbs::select(mask, a, b)
    }

    fn lookup(table: &[Affine], index: u64) -> Affine {
        let mut found = Affine {
            x: limbs::ZERO,
            y: limbs::ZERO,
        };
        for (entry, candidate) in table.iter().zip(0u64..) {
            let mask = Mask::is_zero(candidate ^ index).word();
            for i in 0..4 {
                found.x[i] |= entry.x[i] & mask;
                found.y[i] |= entry.y[i] & mask;
            }
        }
        found
    }
}

/// The 512-bit product of two integers.
#[inline(always)]
pub(crate) fn product(a: &Limbs, b: &Limbs) -> [u64; 8] {
    let mut out = [0; 8];
    for i in 0..4 {
        let mut carry = 0;
        for j in 0..4 {
            (out[i + j], carry) = a[i].carrying_mul_add(b[j], out[i + j], carry);
        }
        out[i + 4] = carry;
    }
    out
}

/// Montgomery reduction modulo p. The lowest limb of p is −1 modulo 2^64, so the factor of each step is the lowest
/// limb `m` itself, and m·p is shifts: m·(2^256 − 2^224 − 2^96 + 2^64) − m.
#[inline(always)]
fn reduce(t: [u64; 8]) -> Limbs {
    let mut low = [t[0], t[1], t[2], t[3]];
    for _ in 0..4 {
        let m = low[0];
        let (high, shifted) = (m >> 32, m << 32);
        let (difference, _) = limbs::subtract(
            &[low[1], low[2], low[3], m],
            &[shifted, high, shifted, high],
        );
        // Not negative: m − (m >> 32) pays for every borrow from below.
        (low, _) = limbs::add(&difference, &[m, 0, 0, 0]);
    }
    let (sum, carry) = limbs::add(&low, &[t[4], t[5], t[6], t[7]]);
    limbs::reduce_once(&sum, carry, &P)
}
