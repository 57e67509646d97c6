//! The field of p elements: what is the same for every [`Arith`].

use super::arith::{Arith, P};
use super::limbs::{self, Limbs};

/// An element below p in Montgomery form (value · 2^256 mod p).
pub(crate) type Element = Limbs;

/// One.
pub(crate) const ONE: Element = limbs::montgomery_one(&P);
const SQUARE_RADIX: Limbs = limbs::montgomery_square_radix(&P);

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

/// a^(2^k − 1) for the k that both exponents below are made of.
struct Ladder {
    e30: Element,
    e31: Element,
    e32: Element,
}

impl Ladder {
    fn of<A: Arith>(e1: &Element) -> Self {
        let e2 = A::mul(&A::sqr(e1), e1);
        let e4 = A::mul(&square_times::<A>(&e2, 2), &e2);
        let e8 = A::mul(&square_times::<A>(&e4, 4), &e4);
        let e16 = A::mul(&square_times::<A>(&e8, 8), &e8);
        let e24 = A::mul(&square_times::<A>(&e16, 8), &e8);
        let e28 = A::mul(&square_times::<A>(&e24, 4), &e4);
        let e30 = A::mul(&square_times::<A>(&e28, 2), &e2);
        let e31 = A::mul(&A::sqr(&e30), e1);
        let e32 = A::mul(&A::sqr(&e31), e1);
        Self { e30, e31, e32 }
    }

    /// a^((2^31 − 1)·2^129 + 2^128 − 1): the top 160 bits both exponents have in common.
    fn top<A: Arith>(&self) -> Element {
        (0..4).fold(A::sqr(&self.e31), |acc, _| {
            A::mul(&square_times::<A>(&acc, 32), &self.e32)
        })
    }
}

/// 1/a by a^(p−2); zero gives zero. The exponent is public, the time does not depend on `a`.
pub(crate) fn invert<A: Arith>(a: &Element) -> Element {
    let ladder = Ladder::of::<A>(a);
    // p − 2 = fffffffe ffffffff ffffffff ffffffff ffffffff | 00000000 ffffffff | fffffffd
    let acc = A::mul(&square_times::<A>(&ladder.top::<A>(), 64), &ladder.e32);
    let acc = A::mul(&square_times::<A>(&acc, 30), &ladder.e30);
    A::mul(&square_times::<A>(&acc, 2), a)
}

/// The square root of a public value, if it has one. p is 3 modulo 4, so it is a^((p+1)/4).
pub(crate) fn square_root_vartime<A: Arith>(a: &Element) -> Option<Element> {
    let ladder = Ladder::of::<A>(a);
    // (p + 1) / 4 = (fffffffe ffffffff ffffffff ffffffff ffffffff 00000001)·2^62, written in 32-bit words.
    let acc = A::mul(&square_times::<A>(&ladder.top::<A>(), 32), a);
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
