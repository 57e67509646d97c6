//! Scalar multiplication: fixed base and variable point for secrets, double-scalar for public values.

use std::sync::OnceLock;

use zeroize::Zeroize;

use super::arith::Arith;
use super::booth::{Digit, digit, digit_count, non_adjacent_form_vartime};
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

/// Bits per digit of the non-adjacent form in verification.
const PUBLIC_WIDTH: usize = 5;
const PUBLIC_ENTRIES: usize = 1 << (PUBLIC_WIDTH - 2);

/// j·2^(7i)·G for j in 1..=64 and i in 0..37: 148 KiB, made once per process. G is public, so any [`Arith`] may make it.
static BASE_TABLE: OnceLock<Vec<Affine>> = OnceLock::new();

fn base_table<A: Arith>() -> &'static [Affine] {
    BASE_TABLE.get_or_init(|| {
        let mut points = Vec::with_capacity(BASE_DIGITS * BASE_ENTRIES);
        let mut power = Affine::generator::<A>().to_jacobian();
        for _ in 0..BASE_DIGITS {
            let row = multiples::<A, BASE_ENTRIES>(&power);
            points.extend(Jacobian::to_affine_all::<A, BASE_ENTRIES>(&row));
            // The last entry is 64 times the first; twice it starts the next row.
            power = row[BASE_ENTRIES - 1];
            power.double::<A>();
        }
        points
    })
}

/// 1·P to COUNT·P. No exceptional case: the order of the group is a large prime.
fn multiples<A: Arith, const COUNT: usize>(point: &Jacobian) -> [Jacobian; COUNT] {
    let mut out = [*point; COUNT];
    for i in 1..COUNT {
        // Entry i is (i + 1)·P: the double of one before, or one more than an even one.
        if i % 2 == 1 {
            out[i] = out[i / 2];
            out[i].double::<A>();
        } else {
            out[i] = out[i - 1];
            out[i].add_unequal::<A>(point);
        }
    }
    out
}

/// scalar·G in constant time.
pub(crate) fn multiply_base<A: Arith>(scalar: &Scalar) -> Jacobian {
    let table = base_table::<A>();
    let entry = |index: usize| {
        let Digit {
            negative,
            magnitude,
        } = digit(scalar.limbs(), index, BASE_WIDTH);
        A::lookup(&table[index * BASE_ENTRIES..][..BASE_ENTRIES], magnitude)
            .negate_where::<A>(negative)
    };
    // Before digit i the sum is below 2^(7i) / 1.9 in magnitude and the term is a multiple of 2^(7i): as integers they
    // are never equal or opposite, and only the last sum can reach n, so only the last one needs every case.
    let mut sum = entry(0).to_jacobian();
    for index in 1..BASE_DIGITS - 1 {
        sum.add_unequal_affine::<A>(&entry(index));
    }
    sum.add_affine::<A>(&entry(BASE_DIGITS - 1));
    sum
}

/// scalar·point in constant time, for any point of the group and any scalar below n.
pub(crate) fn multiply_point<A: Arith>(point: &Affine, scalar: &Scalar) -> Jacobian {
    let mut table =
        Jacobian::to_affine_all::<A, _>(&multiples::<A, POINT_ENTRIES>(&point.to_jacobian()));
    let entry = |index: usize| {
        let Digit {
            negative,
            magnitude,
        } = digit(scalar.limbs(), index, POINT_WIDTH);
        A::lookup(&table, magnitude).negate_where::<A>(negative)
    };
    // The sum is a multiple of 32 when a digit of at most 16 is added: equal or opposite terms need a wrap around n, which
    // only the last digit can bring (the scalar n − 6 does), so only that addition needs every case.
    let mut sum = entry(digit_count(POINT_WIDTH) - 1).to_jacobian();
    for index in (1..digit_count(POINT_WIDTH) - 1).rev() {
        sum.double_times::<A>(POINT_WIDTH);
        sum.add_unequal_affine::<A>(&entry(index));
    }
    sum.double_times::<A>(POINT_WIDTH);
    sum.add_affine::<A>(&entry(0));
    table.zeroize();
    sum
}

/// base_scalar·G + point_scalar·point for public values.
pub(crate) fn multiply_two_vartime<A: Arith>(
    base_scalar: &Scalar,
    point: &Affine,
    point_scalar: &Scalar,
) -> Jacobian {
    let table = base_table::<A>();
    let mut sum = multiply_vartime::<A>(point, point_scalar.limbs());
    for index in 0..BASE_DIGITS {
        let Digit {
            negative,
            magnitude,
        } = digit(base_scalar.limbs(), index, BASE_WIDTH);
        if magnitude != 0 {
            let entry =
                table[index * BASE_ENTRIES + magnitude as usize - 1].negate_where::<A>(negative);
            sum.add_affine_vartime::<A>(&entry);
        }
    }
    sum
}

/// scalar·point for public values.
pub(crate) fn multiply_vartime<A: Arith>(point: &Affine, scalar: &Limbs) -> Jacobian {
    let table = odd_multiples_vartime::<A>(point);
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

/// P, 3P, 5P … 15P.
fn odd_multiples_vartime<A: Arith>(point: &Affine) -> [Affine; PUBLIC_ENTRIES] {
    let mut twice = point.to_jacobian();
    twice.double::<A>();
    let mut multiples = [point.to_jacobian(); PUBLIC_ENTRIES];
    for i in 1..multiples.len() {
        multiples[i] = multiples[i - 1];
        multiples[i].add_unequal::<A>(&twice);
    }
    Jacobian::to_affine_all::<A, _>(&multiples)
}
