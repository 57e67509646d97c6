//! Comparisons and choices whose time and addresses do not depend on the values.

use std::hint::black_box;

/// All ones or all zeros: a truth value that is never branched on.
#[derive(Clone, Copy)]
pub struct Mask(usize);

impl Mask {
    /// `a == b`.
    pub fn equal(a: usize, b: usize) -> Self {
        let difference = a ^ b;
        // The top bit of d | −d is set exactly when d is not zero.
        Self::from_top_bit(!(difference | difference.wrapping_neg()))
    }

    /// `a < b`.
    pub fn less(a: usize, b: usize) -> Self {
        Self::from_top_bit(a ^ ((a ^ b) | (a.wrapping_sub(b) ^ b)))
    }

    /// `a >= b`.
    pub fn at_least(a: usize, b: usize) -> Self {
        Self(!Self::less(a, b).0)
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// `yes` where true, zero otherwise.
    pub fn keep(self, yes: usize) -> usize {
        self.0 & yes
    }

    /// `yes` where true, `no` otherwise.
    pub fn choose(self, yes: u8, no: u8) -> u8 {
        no ^ (self.0 as u8 & (yes ^ no))
    }

    fn from_top_bit(x: usize) -> Self {
        // The compiler must not learn that this is a truth value: it would make a branch of it.
        Self(black_box(x >> (usize::BITS - 1)).wrapping_neg())
    }
}

/// Whether two tags are equal; lengths are public.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && black_box(difference) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn masks_say_what_the_operators_say(a: usize, b: usize, shift in 0..64u32) {
            let (a, b) = (a >> shift, b >> shift);
            prop_assert_eq!(Mask::equal(a, b).keep(1) == 1, a == b);
            prop_assert_eq!(Mask::equal(a, a).keep(1), 1);
            prop_assert_eq!(Mask::less(a, b).keep(1) == 1, a < b);
            prop_assert_eq!(Mask::at_least(a, b).keep(1) == 1, a >= b);
            prop_assert_eq!(Mask::less(a, b).choose(7, 9), if a < b { 7 } else { 9 });
        }
    }

    #[test]
    fn tags_are_equal_only_when_every_byte_is() {
        let tag: [u8; 16] = std::array::from_fn(|i| i as u8);
        assert!(equal(&tag, &tag));
        assert!(!equal(&tag, &tag[..15]));
        for bit in 0..128 {
            let mut other = tag;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!equal(&tag, &other), "bit {bit}");
        }
    }
}
