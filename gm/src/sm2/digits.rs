//! Signed digits of a scalar: odd ones for secrets, the non-adjacent form for public values.

use super::limbs::{self, Limbs, Mask};
use super::scalar::Scalar;

/// A scalar as odd digits, none of them zero: a sum of table entries with no point at infinity in it (Joye and Tunstall,
/// "Exponent recoding and regular exponentiation algorithms", 2009, for a modulus that is odd).
pub(crate) struct OddDigits {
    /// The scalar, or n less the scalar, whichever is odd; n for zero.
    odd: Scalar,
    /// Whether it is n less the scalar.
    negated: Mask,
    /// Bits per digit.
    width: usize,
}

/// An odd digit between −2^w and 2^w, as sign and number: the magnitude is 2·`index` + 1.
pub(crate) struct Digit {
    pub(crate) negative: Mask,
    pub(crate) index: u64,
}

/// How many digits of `width` bits a scalar has.
pub(crate) const fn digit_count(width: usize) -> usize {
    256usize.div_ceil(width)
}

impl OddDigits {
    /// In constant time.
    #[inline]
    pub(crate) fn new(scalar: &Scalar, width: usize) -> Self {
        let even = Mask::from_bit(scalar.limbs()[0] & 1 ^ 1);
        Self {
            odd: scalar.negated_where(even),
            negated: even,
            width,
        }
    }

    /// Digit `index`, in constant time: the sum over all of digit·2^(width·index) is the scalar, modulo n.
    ///
    /// What is left of an odd number above digit i is odd again: its lowest bit is set, and the digit is less by 2^w for it.
    #[inline(always)]
    pub(crate) fn digit(&self, index: usize) -> Digit {
        let Self { odd, width, .. } = self;
        let window = limbs::bits(odd.limbs(), index * width, width + 1) >> 1;
        // The digit is 2·window + 1 − 2^w, except that nothing is left above the highest one.
        let positive = if index + 1 == digit_count(*width) {
            1
        } else {
            window >> (width - 1)
        };
        let low = (1 << (width - 1)) - 1;
        let negative = Mask::from_bit(positive ^ 1);
        Digit {
            negative: negative.xor(self.negated),
            index: (window ^ negative.word()) & low,
        }
    }
}

/// The digits of the width-`w` non-adjacent form of a public scalar, lowest first: zero or odd, below 2^(w−1) in magnitude.
pub(crate) fn non_adjacent_form_vartime(scalar: &Limbs, width: usize) -> [i8; 257] {
    let mut digits = [0; 257];
    let (mut position, mut carry) = (0, 0);
    while position < 257 {
        let bit = if position < 256 {
            limbs::bits(scalar, position, 1)
        } else {
            0
        };
        if bit == carry {
            position += 1;
            continue;
        }
        let window = if position < 256 {
            limbs::bits(scalar, position, width)
        } else {
            0
        } + carry;
        carry = window >> (width - 1);
        digits[position] = (window as i64 - ((carry as i64) << width)) as i8;
        position += width;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The scalar modulo 2^64 back from its digits, which shows every carry but the last; the last is checked apart.
    fn low_limb(terms: impl Iterator<Item = (usize, i64)>) -> u64 {
        terms
            .filter(|(shift, _)| *shift < 64)
            .fold(0u64, |sum, (shift, digit)| {
                sum.wrapping_add((digit as u64).wrapping_shl(shift as u32))
            })
    }

    /// The sum modulo n.
    fn sum(digits: &OddDigits) -> Scalar {
        let n = |value| Scalar::from_u64(value);
        let mut sum = n(0);
        for index in (0..digit_count(digits.width)).rev() {
            let Digit { negative, index } = digits.digit(index);
            let magnitude = n(2 * index + 1);
            sum = sum.mul(&n(1 << digits.width));
            sum = if negative.reveal() {
                sum.sub(&magnitude)
            } else {
                sum.add(&magnitude)
            };
        }
        sum
    }

    #[test]
    fn scalars_at_the_ends_are_the_sum_of_their_digits() {
        for width in [4, 5, 6, 7] {
            for distance in 0..300 {
                let low = Scalar::from_u64(distance);
                let high = Scalar::from_u64(0).sub(&low);
                for scalar in [low, high] {
                    assert_eq!(sum(&OddDigits::new(&scalar, width)).limbs(), scalar.limbs());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_scalar_is_the_sum_of_its_digits(scalar: Limbs) {
            let scalar = Scalar::reduce(&scalar);
            for width in [4, 5, 6, 7] {
                let digits = OddDigits::new(&scalar, width);
                prop_assert!((0..digit_count(width)).all(|i| digits.digit(i).index < 1 << (width - 1)));
                let sum = sum(&digits);
                prop_assert_eq!(sum.limbs(), scalar.limbs());
            }
        }

        #[test]
        fn the_non_adjacent_form_sums_to_the_scalar(scalar: Limbs) {
            let digits = non_adjacent_form_vartime(&scalar, 5);
            prop_assert!(digits.iter().all(|d| *d == 0 || (d % 2 != 0 && d.unsigned_abs() < 16)));
            prop_assert_eq!(low_limb(digits.iter().enumerate().map(|(i, d)| (i, i64::from(*d)))), scalar[0]);
        }
    }
}
