//! Signed digits of a scalar: Booth's recoding for secrets, the non-adjacent form for public values.

use super::limbs::{self, Limbs, Mask};

/// A digit between −2^(w−1) and 2^(w−1), as sign and magnitude.
pub(crate) struct Digit {
    pub(crate) negative: Mask,
    pub(crate) magnitude: u64,
}

/// How many digits of `width` bits a 256-bit scalar has.
pub(crate) const fn digit_count(width: usize) -> usize {
    256 / width + 1
}

/// Digit `index` of the scalar in base 2^`width`, in constant time: the sum over all of digit·2^(width·index) is the scalar.
#[inline(always)]
pub(crate) fn digit(scalar: &Limbs, index: usize, width: usize) -> Digit {
    let window = match index {
        0 => limbs::bits(scalar, 0, width) << 1,
        _ => limbs::bits(scalar, index * width - 1, width + 1),
    };
    let negative = Mask::from_bit(window >> width);
    let folded = window ^ (negative.word() & ((1 << (width + 1)) - 1));
    Digit {
        negative,
        magnitude: (folded >> 1) + (folded & 1),
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

    fn signed(digit: Digit) -> i64 {
        let magnitude = digit.magnitude as i64;
        if digit.negative.reveal() {
            -magnitude
        } else {
            magnitude
        }
    }

    proptest! {
        #[test]
        fn booth_digits_sum_to_the_scalar(scalar: Limbs) {
            for width in [4, 5, 6, 7] {
                let digits: Vec<i64> = (0..digit_count(width)).map(|i| signed(digit(&scalar, i, width))).collect();
                prop_assert!(digits.iter().all(|d| d.unsigned_abs() <= 1 << (width - 1)));
                prop_assert_eq!(low_limb(digits.iter().enumerate().map(|(i, d)| (i * width, *d))), scalar[0]);
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
