//! 256-bit integers as four 64-bit limbs, least significant first, and masks that select without branching.
//!
//! Everything here runs in time independent of the values, except what is named `vartime`.

use std::hint::black_box;

/// A 256-bit integer, least significant limb first.
pub(crate) type Limbs = [u64; 4];

/// Zero.
pub(crate) const ZERO: Limbs = [0; 4];

/// All ones or all zeros: the answer to a question about a secret, to select by and not to branch on.
#[derive(Clone, Copy)]
pub(crate) struct Mask(u64);

impl Mask {
    /// From a bit, 0 or 1. The optimiser is kept from learning that it is one, so that it makes no branch of it.
    #[inline(always)]
    pub(crate) fn from_bit(bit: u64) -> Self {
        Self(black_box(bit).wrapping_neg())
    }

    /// True where `value` is zero.
    #[inline(always)]
    pub(crate) fn is_zero(value: u64) -> Self {
        Self::from_bit(((value | value.wrapping_neg()) >> 63) ^ 1)
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[inline(always)]
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub(crate) fn xor(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    #[inline(always)]
    pub(crate) fn not(self) -> Self {
        Self(!self.0)
    }

    /// All ones or all zeros.
    #[inline(always)]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// Makes the answer public: from here on it may be branched on.
    #[inline(always)]
    pub(crate) fn reveal(self) -> bool {
        self.0 != 0
    }
}

/// `a` where the mask is set, `b` elsewhere.
#[inline(always)]
pub(crate) fn select(mask: Mask, a: &Limbs, b: &Limbs) -> Limbs {
    std::array::from_fn(|i| b[i] ^ (mask.0 & (a[i] ^ b[i])))
}

/// Whether all limbs are zero.
#[inline(always)]
pub(crate) fn is_zero(a: &Limbs) -> Mask {
    Mask::is_zero(a[0] | a[1] | a[2] | a[3])
}

/// Whether two integers are the same.
#[inline(always)]
pub(crate) fn equal(a: &Limbs, b: &Limbs) -> Mask {
    Mask::is_zero((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]))
}

/// Whether `a < b`.
#[inline(always)]
pub(crate) fn less_than(a: &Limbs, b: &Limbs) -> Mask {
    Mask::from_bit(subtract(a, b).1)
}

/// `u64::carrying_add`, which cannot be called in constants yet.
#[inline(always)]
const fn add_carry(a: u64, b: u64, carry: bool) -> (u64, bool) {
    let (sum, c0) = a.overflowing_add(b);
    let (sum, c1) = sum.overflowing_add(carry as u64);
    (sum, c0 | c1)
}

/// `u64::borrowing_sub`, which cannot be called in constants yet.
#[inline(always)]
const fn subtract_borrow(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, b0) = a.overflowing_sub(b);
    let (difference, b1) = difference.overflowing_sub(borrow as u64);
    (difference, b0 | b1)
}

/// `a + b` and the carry, 0 or 1.
#[inline(always)]
pub(crate) const fn add(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = add_carry(a[0], b[0], false);
    let (r1, c) = add_carry(a[1], b[1], c);
    let (r2, c) = add_carry(a[2], b[2], c);
    let (r3, c) = add_carry(a[3], b[3], c);
    ([r0, r1, r2, r3], c as u64)
}

/// `a − b` and the borrow, 0 or 1.
#[inline(always)]
pub(crate) const fn subtract(a: &Limbs, b: &Limbs) -> (Limbs, u64) {
    let (r0, c) = subtract_borrow(a[0], b[0], false);
    let (r1, c) = subtract_borrow(a[1], b[1], c);
    let (r2, c) = subtract_borrow(a[2], b[2], c);
    let (r3, c) = subtract_borrow(a[3], b[3], c);
    ([r0, r1, r2, r3], c as u64)
}

/// `a` minus `modulus` where that (with `carry` as bit 256) is not negative: brings a value below 2·modulus into range.
#[inline(always)]
pub(crate) fn reduce_once(a: &Limbs, carry: u64, modulus: &Limbs) -> Limbs {
    let (difference, borrow) = subtract(a, modulus);
    // Kept where the subtraction went below zero and no carry paid for it.
    select(Mask::from_bit(borrow & (carry ^ 1)), a, &difference)
}

/// `a + b` modulo `modulus`, both below it.
#[inline(always)]
pub(crate) fn add_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (sum, carry) = add(a, b);
    reduce_once(&sum, carry, modulus)
}

/// `a − b` modulo `modulus`, both below it.
#[inline(always)]
pub(crate) fn sub_mod(a: &Limbs, b: &Limbs, modulus: &Limbs) -> Limbs {
    let (difference, borrow) = subtract(a, b);
    add(&difference, &keep(Mask::from_bit(borrow), modulus)).0
}

/// `a` where the mask is set, zero elsewhere.
#[inline(always)]
pub(crate) fn keep(mask: Mask, a: &Limbs) -> Limbs {
    a.map(|limb| limb & mask.0)
}

/// 2^512 modulo `modulus`, which takes a value into Montgomery form (radix 2^256).
pub(crate) const fn montgomery_square_radix(modulus: &Limbs) -> Limbs {
    double_mod(montgomery_one(modulus), 256, modulus)
}

/// 2^768 modulo `modulus`: the Montgomery form of an inverse is its product with the inverse of a Montgomery form.
pub(crate) const fn montgomery_cube_radix(modulus: &Limbs) -> Limbs {
    double_mod(montgomery_one(modulus), 512, modulus)
}

/// 2^256 modulo `modulus`, one in Montgomery form; `modulus` is above 2^255.
pub(crate) const fn montgomery_one(modulus: &Limbs) -> Limbs {
    subtract(&ZERO, modulus).0
}

/// For constants: it branches.
const fn double_mod(mut value: Limbs, times: usize, modulus: &Limbs) -> Limbs {
    let mut i = 0;
    while i < times {
        let (sum, carry) = add(&value, &value);
        let (difference, borrow) = subtract(&sum, modulus);
        value = if borrow > carry { sum } else { difference };
        i += 1;
    }
    value
}

/// −modulus⁻¹ modulo 2^64, the Montgomery constant of an odd modulus.
pub(crate) const fn montgomery_factor(modulus: &Limbs) -> u64 {
    // Newton's iteration doubles the correct low bits: 1, 2, 4, … 64.
    let mut inverse = 1u64;
    let mut i = 0;
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus[0].wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg()
}

/// Reads 32 bytes, most significant first.
pub(crate) const fn from_be_bytes(bytes: &[u8; 32]) -> Limbs {
    let mut out = ZERO;
    let mut i = 0;
    while i < 32 {
        out[3 - i / 8] = out[3 - i / 8] << 8 | bytes[i] as u64;
        i += 1;
    }
    out
}

/// Writes 32 bytes, most significant first.
pub(crate) fn to_be_bytes(limbs: &Limbs) -> [u8; 32] {
    let mut out = [0; 32];
    for (bytes, limb) in out.chunks_exact_mut(8).zip(limbs.iter().rev()) {
        bytes.copy_from_slice(&limb.to_be_bytes());
    }
    out
}

/// The `width` bits from bit `position` up; bits above 255 read as zero. Position and width are public.
#[inline(always)]
pub(crate) fn bits(limbs: &Limbs, position: usize, width: usize) -> u64 {
    let (limb, shift) = (position / 64, position % 64);
    let low = limbs[limb] >> shift;
    let high = if shift + width > 64 && limb < 3 {
        limbs[limb + 1] << (64 - shift)
    } else {
        0
    };
    (low | high) & ((1 << width) - 1)
}
