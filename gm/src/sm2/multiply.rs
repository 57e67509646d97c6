//! Scalar multiplication: fixed base and variable point for secrets, double-scalar for public values.

use std::sync::OnceLock;

use zeroize::Zeroize;

use super::arith::Arith;
use super::digits::{Digit, OddDigits, digit_count, non_adjacent_form_vartime};
use super::limbs::{Limbs, Mask};
use super::point::{Affine, Jacobian};
use super::scalar::Scalar;

/// Bits per digit of the fixed-base table.
const BASE_WIDTH: usize = 7;
const BASE_ENTRIES: usize = 1 << (BASE_WIDTH - 1);
const BASE_DIGITS: usize = digit_count(BASE_WIDTH);

/// Bits per digit for a variable point.
const POINT_WIDTH: usize = 5;
const POINT_ENTRIES: usize = 1 << (POINT_WIDTH - 1);
const POINT_DIGITS: usize = digit_count(POINT_WIDTH);

/// Bits per digit of the non-adjacent form in verification.
const PUBLIC_WIDTH: usize = 5;
const PUBLIC_ENTRIES: usize = 1 << (PUBLIC_WIDTH - 2);

/// j·2^(7i)·G for odd j up to 127 and i in 0..37: 148 KiB, made once per process. G is public, so any [`Arith`] may make it.
static BASE_TABLE: OnceLock<Vec<Affine>> = OnceLock::new();

fn base_table<A: Arith>() -> &'static [Affine] {
    BASE_TABLE.get_or_init(|| {
        let mut points = Vec::with_capacity(BASE_DIGITS * BASE_ENTRIES);
        let mut power = Affine::generator::<A>().to_jacobian();
        for _ in 0..BASE_DIGITS {
            points.extend(odd_multiples::<A, BASE_ENTRIES>(&power));
            power.double_times::<A>(BASE_WIDTH);
        }
        points
    })
}

/// P, 3P, 5P … (2·COUNT − 1)·P. No exceptional case: the order of the group is a large prime.
fn odd_multiples<A: Arith, const COUNT: usize>(point: &Jacobian) -> [Affine; COUNT] {
    let mut twice = *point;
    twice.double::<A>();
    let mut multiples = [*point; COUNT];
    for i in 1..COUNT {
        multiples[i] = multiples[i - 1];
        multiples[i].add_unequal::<A>(&twice);
    }
    let affine = Jacobian::to_affine_all::<A, COUNT>(&multiples);
    multiples.zeroize();
    affine
}

/// The term a digit stands for, from the row of its table, in constant time.
#[inline(always)]
fn term<A: Arith>(row: &[Affine], Digit { negative, index }: Digit) -> Affine {
    A::lookup(row, index).negate_where::<A>(negative)
}

/// scalar·G in constant time.
pub(crate) fn multiply_base<A: Arith>(scalar: &Scalar) -> Jacobian {
    let table = base_table::<A>();
    let digits = OddDigits::new(scalar, BASE_WIDTH);
    let term = |i: usize| term::<A>(&table[i * BASE_ENTRIES..][..BASE_ENTRIES], digits.digit(i));
    // Before digit i the sum is odd and below 2^(7i) in magnitude, and the term is an odd multiple of 2^(7i): as integers
    // they are never equal or opposite, and only the last sum can reach n, so only the last one needs every case.
    let mut sum = term(0).to_extended();
    for index in 1..BASE_DIGITS - 1 {
        sum.add_unequal_affine::<A>(&term(index));
    }
    let mut product = sum.to_jacobian::<A>();
    product.add_affine::<A>(&term(BASE_DIGITS - 1));
    sum.zeroize();
    product
}

/// scalar·point in constant time, for any point of the group and any scalar below n.
pub(crate) fn multiply_point<A: Arith>(point: &Affine, scalar: &Scalar) -> Jacobian {
    let mut table = odd_multiples::<A, POINT_ENTRIES>(&point.to_jacobian());
    let digits = OddDigits::new(scalar, POINT_WIDTH);
    let term = |index| term::<A>(&table, digits.digit(index));
    // The sum is an odd multiple of 32 when a digit below 32 is added: equal or opposite terms need a wrap around n, which
    // only the last digit can bring, so only that addition needs every case.
    let mut sum = term(POINT_DIGITS - 1).to_finite_jacobian();
    for index in (1..POINT_DIGITS - 1).rev() {
        sum.double_times::<A>(POINT_WIDTH);
        sum.add_unequal_affine::<A>(&term(index));
    }
    sum.double_times::<A>(POINT_WIDTH);
    sum.add_affine::<A>(&term(0));
    table.zeroize();
    sum
}

/// base_scalar·G + point_scalar·point for public values.
pub(crate) fn multiply_two_vartime<A: Arith>(
    base_scalar: &Scalar,
    point: &Affine,
    point_scalar: &Scalar,
) -> Jacobian {
    let mut sum = multiply_vartime::<A>(point, point_scalar.limbs());
    let digits = OddDigits::new(base_scalar, BASE_WIDTH);
    for (place, row) in base_table::<A>().chunks_exact(BASE_ENTRIES).enumerate() {
        let Digit { negative, index } = digits.digit(place);
        sum.add_affine_vartime::<A>(&row[index as usize].negate_where::<A>(negative));
    }
    sum
}

/// scalar·point for public values.
pub(crate) fn multiply_vartime<A: Arith>(point: &Affine, scalar: &Limbs) -> Jacobian {
    let table = odd_multiples::<A, PUBLIC_ENTRIES>(&point.to_jacobian());
    let digits = non_adjacent_form_vartime(scalar, PUBLIC_WIDTH);
    let Some(top) = digits.iter().rposition(|digit| *digit != 0) else {
        return Jacobian::INFINITY;
    };
    let mut sum = Jacobian::INFINITY;
    for digit in digits[..=top].iter().rev() {
        sum.double::<A>();
        if *digit != 0 {
            let entry = table[usize::from(digit.unsigned_abs() / 2)];
            let negative = Mask::from_bit(u64::from(*digit < 0));
            sum.add_affine_vartime::<A>(&entry.negate_where::<A>(negative));
        }
    }
    sum
}
