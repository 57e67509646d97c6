//! The field of p elements: what is the same for every [`Arith`].

use super::arith::{Arith, P};
use super::inverse::Modulus;
use super::limbs::{self, Limbs};

/// An element below p in Montgomery form (value · 2^256 mod p).
pub(crate) type Element = Limbs;

/// One.
pub(crate) const ONE: Element = limbs::montgomery_one(&P);
const SQUARE_RADIX: Limbs = limbs::montgomery_square_radix(&P);
const CUBE_RADIX: Limbs = limbs::montgomery_cube_radix(&P);

/// The coefficient b of the curve, an ordinary integer (GB/T 32918.5-2017, 2); a is p − 3.
pub(crate) const B: Limbs = [
    0xddbc_bd41_4d94_0e93,
    0xf397_89f5_15ab_8f92,
    0x4d5a_9e4b_cf65_09a7,
    0x28e9_fa9e_9d9f_5e34,
];

/// 2·a.
#[inline(always)]
pub(crate) fn double<A: Arith>(a: &Element) -> Element {
    A::add(a, a)
}

/// −a; zero stays zero.
#[inline(always)]
pub(crate) fn negate<A: Arith>(a: &Element) -> Element {
    A::sub(&limbs::ZERO, a)
}

/// Takes an integer below p into Montgomery form.
#[inline]
pub(crate) fn from_integer<A: Arith>(a: &Limbs) -> Element {
    A::mul(a, &SQUARE_RADIX)
}

/// The integer below p that `a` stands for.
#[inline]
pub(crate) fn to_integer<A: Arith>(a: &Element) -> Limbs {
    A::mul(a, &[1, 0, 0, 0])
}

/// x³ − 3x + b, the right side of the curve equation.
pub(crate) fn curve_right_side<A: Arith>(x: &Element) -> Element {
    let three = A::add(&double::<A>(&ONE), &ONE);
    let cubic = A::mul(&A::sub(&A::sqr(x), &three), x);
    A::add(&cubic, &from_integer::<A>(&B))
}

/// `a` squared `times` times.
#[inline]
fn square_times<A: Arith>(a: &Element, times: usize) -> Element {
    (0..times).fold(*a, |a, _| A::sqr(&a))
}

/// 1/a; zero gives zero. The time does not depend on `a`.
pub(crate) fn invert<A: Arith>(a: &Element) -> Element {
    const MODULUS: Modulus = Modulus::new(&P);
    A::mul(&MODULUS.invert(a), &CUBE_RADIX)
}

/// The square root of a public value, if it has one. p is 3 modulo 4, so it is a^((p+1)/4).
pub(crate) fn square_root_vartime<A: Arith>(a: &Element) -> Option<Element> {
    // Named after the exponents: e8 is a^(2^8 − 1).
    let e2 = A::mul(&A::sqr(a), a);
    let e4 = A::mul(&square_times::<A>(&e2, 2), &e2);
    let e8 = A::mul(&square_times::<A>(&e4, 4), &e4);
    let e16 = A::mul(&square_times::<A>(&e8, 8), &e8);
    let e24 = A::mul(&square_times::<A>(&e16, 8), &e8);
    let e28 = A::mul(&square_times::<A>(&e24, 4), &e4);
    let e30 = A::mul(&square_times::<A>(&e28, 2), &e2);
    let e31 = A::mul(&A::sqr(&e30), a);
    let e32 = A::mul(&A::sqr(&e31), a);
    // (p + 1) / 4 = (fffffffe ffffffff ffffffff ffffffff ffffffff 00000001)·2^62, written in 32-bit words.
    let acc = (0..4).fold(A::sqr(&e31), |acc, _| {
        A::mul(&square_times::<A>(&acc, 32), &e32)
    });
    let acc = A::mul(&square_times::<A>(&acc, 32), a);
    let root = square_times::<A>(&acc, 62);
    (A::sqr(&root) == *a).then_some(root)
}

/// Inverts all elements with one inversion (Montgomery's trick), using as many elements of scratch. None may be zero.
pub(crate) fn invert_all<A: Arith>(elements: &mut [Element], scratch: &mut [Element]) {
    let mut product = ONE;
    for (element, prefix) in elements.iter().zip(scratch.iter_mut()) {
        *prefix = product;
        product = A::mul(&product, element);
    }
    let mut inverse = invert::<A>(&product);
    for (element, prefix) in elements.iter_mut().zip(scratch).rev() {
        let own = A::mul(&inverse, prefix);
        inverse = A::mul(&inverse, element);
        *element = own;
    }
}

#[cfg(test)]
mod tests {
    use super::super::arith::{P, Portable, product, with_arith};
    use super::*;
    use proptest::prelude::*;

    /// The remainder of a 512-bit number by shifting and subtracting, bit by bit.
    fn remainder(number: &[u64; 8], modulus: &Limbs) -> Limbs {
        let mut rest = limbs::ZERO;
        for bit in (0..512).rev() {
            let top = rest[3] >> 63;
            let incoming = number[bit / 64] >> (bit % 64) & 1;
            rest = std::array::from_fn(|i| {
                rest[i] << 1 | if i == 0 { incoming } else { rest[i - 1] >> 63 }
            });
            let (difference, borrow) = limbs::subtract(&rest, modulus);
            if top == 1 || borrow == 0 {
                rest = difference;
            }
        }
        rest
    }

    fn wide(low: &Limbs) -> [u64; 8] {
        [low[0], low[1], low[2], low[3], 0, 0, 0, 0]
    }

    fn sum(a: &Limbs, b: &Limbs) -> [u64; 8] {
        let (low, carry) = limbs::add(a, b);
        [low[0], low[1], low[2], low[3], carry, 0, 0, 0]
    }

    /// Elements with many extreme limbs, where carries break.
    fn elements() -> impl Strategy<Value = Limbs> {
        let limb = prop_oneof![
            Just(0),
            Just(1),
            Just(u64::MAX),
            Just(u64::MAX - 1),
            Just(1 << 63),
            Just(1 << 32),
            any::<u64>()
        ];
        prop::array::uniform4(limb).prop_map(|limbs| remainder(&wide(&limbs), &P))
    }

    fn agrees<A: Arith>(a: &Limbs, b: &Limbs) {
        let in_field = |number: [u64; 8]| remainder(&number, &P);
        let (mont_a, mont_b) = (from_integer::<A>(a), from_integer::<A>(b));
        assert_eq!(to_integer::<A>(&mont_a), *a);
        assert_eq!(
            to_integer::<A>(&A::mul(&mont_a, &mont_b)),
            in_field(product(a, b))
        );
        assert_eq!(A::sqr(a), A::mul(a, a));
        assert_eq!(A::add(a, b), in_field(sum(a, b)));
        assert_eq!(in_field(sum(&A::sub(a, b), b)), *a);
        assert_eq!(in_field(sum(&A::half(a), &A::half(a))), *a);
        assert_eq!(in_field(sum(&negate::<A>(a), a)), limbs::ZERO);
        for bit in [0, 1] {
            let expected = if bit == 1 { a } else { b };
            assert_eq!(A::select(limbs::Mask::from_bit(bit), a, b), *expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_implementation_agrees_with_slow_arithmetic(a in elements(), b in elements()) {
            agrees::<Portable>(&a, &b);
            with_arith!(A => agrees::<A>(&a, &b));
        }
    }

    proptest! {
        #[test]
        fn inverses_and_roots_undo(a in elements()) {
            let inverse = invert::<Portable>(&a);
            let expected = if a == limbs::ZERO { limbs::ZERO } else { ONE };
            prop_assert_eq!(Portable::mul(&inverse, &a), expected);
            with_arith!(A => prop_assert_eq!(invert::<A>(&a), inverse));
            let root = square_root_vartime::<Portable>(&Portable::sqr(&a)).expect("a square");
            prop_assert!(root == a || root == negate::<Portable>(&a));
        }
    }
}
