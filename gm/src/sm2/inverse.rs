//! Inverses modulo p and n in constant time: the "safegcd" of Bernstein and Yang (<https://eprint.iacr.org/2019/266>), with
//! division steps that start at δ = ½, of which 590 are enough for any 256-bit number (computed by Wuille,
//! <https://github.com/bitcoin-core/secp256k1/blob/master/doc/safegcd_implementation.md>).
//!
//! A third of the time of a power by p − 2. 59 steps at a time look at the lowest 64 bits only and give a 2×2 matrix; it
//! is then applied to the whole numbers.

use std::hint::black_box;

use zeroize::Zeroize;

use super::limbs::Limbs;

/// A number as five signed digits, least significant first; all but the last lie between 0 and 2^62.
type Digits = [i64; 5];

const DIGIT_BITS: u32 = 62;
const DIGIT: u64 = u64::MAX >> 2;

/// Steps per matrix: with the scale 2^3 it starts with, a matrix stands for a division by 2^62.
const STEPS: usize = 59;
/// 10·59 = 590 division steps.
const BATCHES: usize = 10;

/// An odd modulus above 2^255, prepared.
pub(super) struct Modulus {
    digits: Digits,
    /// modulus⁻¹ modulo 2^62.
    inverse: u64,
}

impl Modulus {
    pub(super) const fn new(modulus: &Limbs) -> Self {
        Self {
            digits: to_digits(modulus),
            inverse: super::limbs::montgomery_factor(modulus).wrapping_neg() & DIGIT,
        }
    }

    /// 1/a modulo the modulus for `a` below it; zero gives zero.
    pub(super) fn invert(&self, a: &Limbs) -> Limbs {
        let mut state = State {
            f: self.digits,
            g: to_digits(a),
            d: [0; 5],
            e: [1, 0, 0, 0, 0],
        };
        let mut zeta = -1;
        for _ in 0..BATCHES {
            let matrix = Matrix::of_steps(&mut zeta, state.f[0] as u64, state.g[0] as u64);
            matrix.apply_modulo(&mut state.d, &mut state.e, self);
            matrix.apply(&mut state.f, &mut state.g);
        }
        // Now g is zero and f is 1 or −1 (or the modulus, if a was zero), and d·a = f.
        let inverse = self.normalise(state.d, sign(state.f[4]));
        state.zeroize();
        to_limbs(&inverse)
    }

    /// Brings a number between −2·modulus and modulus, negated if `negate` is all ones, between 0 and modulus.
    fn normalise(&self, mut a: Digits, negate: i64) -> Digits {
        let negative = sign(a[4]);
        for (digit, modulus) in a.iter_mut().zip(self.digits) {
            *digit = ((*digit + (modulus & negative)) ^ negate) - negate;
        }
        carry(&mut a);
        let negative = sign(a[4]);
        for (digit, modulus) in a.iter_mut().zip(self.digits) {
            *digit += modulus & negative;
        }
        carry(&mut a);
        a
    }
}

/// f and g go to ±1 and 0; d·a = f and e·a = g modulo the modulus all along.
struct State {
    f: Digits,
    g: Digits,
    d: Digits,
    e: Digits,
}

impl Zeroize for State {
    fn zeroize(&mut self) {
        for digits in [&mut self.f, &mut self.g, &mut self.d, &mut self.e] {
            digits.zeroize();
        }
    }
}

/// What 59 division steps do to (f, g), times 2^62.
struct Matrix {
    f_by_f: i64,
    f_by_g: i64,
    g_by_f: i64,
    g_by_g: i64,
}

impl Matrix {
    /// The steps (f, g) → (g, (g − f)/2) if δ > 0 and g is odd, else (f, (g + (g mod 2)·f)/2), on the lowest 64 bits.
    /// `zeta` is −(δ + ½).
    #[inline(always)]
    fn of_steps(zeta: &mut i64, mut f: u64, mut g: u64) -> Self {
        let (mut u, mut v, mut q, mut r) = (8u64, 0u64, 0u64, 8u64);
        for _ in 0..STEPS {
            let swap = sign(*zeta) as u64;
            let odd = black_box(g & 1).wrapping_neg();
            let minus = |value: u64| (value ^ swap).wrapping_sub(swap);
            g = g.wrapping_add(minus(f) & odd);
            q = q.wrapping_add(minus(u) & odd);
            r = r.wrapping_add(minus(v) & odd);
            let swap = swap & odd;
            *zeta = (*zeta ^ swap as i64) - 1;
            f = f.wrapping_add(g & swap);
            u = u.wrapping_add(q & swap) << 1;
            v = v.wrapping_add(r & swap) << 1;
            g >>= 1;
        }
        Self {
            f_by_f: u as i64,
            f_by_g: v as i64,
            g_by_f: q as i64,
            g_by_g: r as i64,
        }
    }

    /// (f, g) times the matrix, divided by 2^62, which leaves no rest.
    #[inline(always)]
    fn apply(&self, f: &mut Digits, g: &mut Digits) {
        let (mut sum_f, mut sum_g) = self.times(f[0], g[0]);
        for i in 1..5 {
            let (term_f, term_g) = self.times(f[i], g[i]);
            sum_f = (sum_f >> DIGIT_BITS) + term_f;
            sum_g = (sum_g >> DIGIT_BITS) + term_g;
            f[i - 1] = low_digit(sum_f);
            g[i - 1] = low_digit(sum_g);
        }
        f[4] = (sum_f >> DIGIT_BITS) as i64;
        g[4] = (sum_g >> DIGIT_BITS) as i64;
    }

    /// (d, e) times the matrix, divided by 2^62 modulo the modulus. Both stay between −2·modulus and modulus.
    #[inline(always)]
    fn apply_modulo(&self, d: &mut Digits, e: &mut Digits, modulus: &Modulus) {
        // As many moduli as bring the sums back into range, and then as make them divisible.
        let (sign_d, sign_e) = (sign(d[4]), sign(e[4]));
        let (mut sum_d, mut sum_e) = self.times(d[0], e[0]);
        let count = |sum: i128, range: i64| {
            let rest = modulus
                .inverse
                .wrapping_mul(sum as u64)
                .wrapping_add(range as u64)
                & DIGIT;
            i128::from(range.wrapping_sub(rest as i64))
        };
        let count_d = count(sum_d, (self.f_by_f & sign_d) + (self.f_by_g & sign_e));
        let count_e = count(sum_e, (self.g_by_f & sign_d) + (self.g_by_g & sign_e));
        sum_d += count_d * i128::from(modulus.digits[0]);
        sum_e += count_e * i128::from(modulus.digits[0]);
        for i in 1..5 {
            let (term_d, term_e) = self.times(d[i], e[i]);
            let digit = i128::from(modulus.digits[i]);
            sum_d = (sum_d >> DIGIT_BITS) + term_d + count_d * digit;
            sum_e = (sum_e >> DIGIT_BITS) + term_e + count_e * digit;
            d[i - 1] = low_digit(sum_d);
            e[i - 1] = low_digit(sum_e);
        }
        d[4] = (sum_d >> DIGIT_BITS) as i64;
        e[4] = (sum_e >> DIGIT_BITS) as i64;
    }

    #[inline(always)]
    fn times(&self, f: i64, g: i64) -> (i128, i128) {
        let product = |a: i64, b: i64| i128::from(a) * i128::from(b);
        (
            product(self.f_by_f, f) + product(self.f_by_g, g),
            product(self.g_by_f, f) + product(self.g_by_g, g),
        )
    }
}

/// All ones for a negative number, else zero. The optimiser is kept from learning so, or it would make branches of it.
#[inline(always)]
fn sign(a: i64) -> i64 {
    black_box(a >> 63)
}

#[inline(always)]
fn low_digit(sum: i128) -> i64 {
    (sum as u64 & DIGIT) as i64
}

/// Moves what is outside 0 to 2^62 of each digit to the next one.
#[inline(always)]
fn carry(a: &mut Digits) {
    for i in 0..4 {
        a[i + 1] += a[i] >> DIGIT_BITS;
        a[i] &= DIGIT as i64;
    }
}

const fn to_digits(a: &Limbs) -> Digits {
    [
        (a[0] & DIGIT) as i64,
        ((a[0] >> 62 | a[1] << 2) & DIGIT) as i64,
        ((a[1] >> 60 | a[2] << 4) & DIGIT) as i64,
        ((a[2] >> 58 | a[3] << 6) & DIGIT) as i64,
        (a[3] >> 56) as i64,
    ]
}

fn to_limbs(a: &Digits) -> Limbs {
    let [a0, a1, a2, a3, a4] = a.map(|digit| digit as u64);
    [
        a0 | a1 << 62,
        a1 >> 2 | a2 << 60,
        a2 >> 4 | a3 << 58,
        a3 >> 6 | a4 << 56,
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arith::{Arith, P, Portable};
    use super::super::limbs;
    use super::super::scalar::{N, Scalar};
    use super::*;

    /// a·inverse is 1 modulo the modulus, multiplied by code that has nothing in common with the inversion.
    fn undoes(a: &Limbs) {
        let square_radix = limbs::montgomery_square_radix(&P);
        let in_field = limbs::reduce_once(a, 0, &P);
        let inverse = Modulus::new(&P).invert(&in_field);
        let product = Portable::mul(&Portable::mul(&in_field, &square_radix), &inverse);
        let one = if in_field == limbs::ZERO { 0 } else { 1 };
        assert_eq!(product, [one, 0, 0, 0], "{in_field:x?} modulo p");

        let scalar = Scalar::reduce(a);
        let inverse = Scalar::reduce(&Modulus::new(&N).invert(scalar.limbs()));
        let one = if scalar.is_zero().reveal() { 0 } else { 1 };
        assert_eq!(
            scalar.mul(&inverse).limbs(),
            &[one, 0, 0, 0],
            "{a:x?} modulo n"
        );
    }

    #[test]
    fn numbers_at_the_ends_have_inverses() {
        for modulus in [P, N] {
            for distance in 0..4 {
                undoes(&[distance, 0, 0, 0]);
                undoes(&limbs::subtract(&modulus, &[distance, 0, 0, 0]).0);
            }
        }
        for bit in 0..256 {
            let mut power = limbs::ZERO;
            power[bit / 64] = 1 << (bit % 64);
            undoes(&power);
            undoes(&limbs::subtract(&power, &[1, 0, 0, 0]).0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_number_has_an_inverse(a: Limbs) {
            undoes(&a);
        }
    }
}
