//! Points of the curve y² = x³ − 3x + b and the formulas that add them.
//!
//! A sum has exceptional cases: a term at infinity, both terms equal, one the inverse of the other. Each function
//! says which it gets right; [`Jacobian::add_affine`] is right for all, in constant time.

use zeroize::Zeroize;

use super::arith::Arith;
use super::field::{self, Element, ONE};
use super::limbs::{self, Mask, ZERO};

/// A finite point by its coordinates; (0, 0), which is not on the curve, stands for infinity in tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Affine {
    pub(crate) x: Element,
    pub(crate) y: Element,
}

/// A point (X/Z², Y/Z³); infinity where Z is zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jacobian {
    pub(crate) x: Element,
    pub(crate) y: Element,
    pub(crate) z: Element,
}

/// A point (X/ZZ, Y/ZZZ) with ZZ³ = ZZZ²: longer than [`Jacobian`], but a table entry is added with one squaring less and
/// a shorter chain of products. Never infinity, except as the sum of inverse points: then ZZ is zero.
#[derive(Clone, Copy)]
pub(crate) struct Extended {
    x: Element,
    y: Element,
    zz: Element,
    zzz: Element,
}

/// The base point G as integers (GB/T 32918.5-2017, 2): x, then y.
const GENERATOR: [limbs::Limbs; 2] = [
    [
        0x715a_4589_334c_74c7,
        0x8fe3_0bbf_f266_0be1,
        0x5f99_0446_6a39_c994,
        0x32c4_ae2c_1f19_8119,
    ],
    [
        0x02df_32e5_2139_f0a0,
        0xd0a9_877c_c62a_4740,
        0x59bd_cee3_6b69_2153,
        0xbc37_36a2_f4f6_779c,
    ],
];

impl Affine {
    /// What stands for infinity in tables.
    pub(crate) const INFINITY: Self = Self { x: ZERO, y: ZERO };

    /// The base point G.
    pub(crate) fn generator<A: Arith>() -> Self {
        Self {
            x: field::from_integer::<A>(&GENERATOR[0]),
            y: field::from_integer::<A>(&GENERATOR[1]),
        }
    }

    /// Whether the coordinates satisfy the curve equation. Public.
    pub(crate) fn is_on_curve<A: Arith>(&self) -> bool {
        A::sqr(&self.y) == field::curve_right_side::<A>(&self.x)
    }

    pub(crate) fn is_infinity(&self) -> Mask {
        limbs::is_zero(&self.x).and(limbs::is_zero(&self.y))
    }

    #[inline(always)]
    pub(crate) fn negate_where<A: Arith>(&self, mask: Mask) -> Self {
        Self {
            x: self.x,
            y: A::select(mask, &field::negate::<A>(&self.y), &self.y),
        }
    }

    /// A point that is not infinity with ZZ = ZZZ = 1.
    #[inline(always)]
    pub(crate) fn to_extended(self) -> Extended {
        Extended {
            x: self.x,
            y: self.y,
            zz: ONE,
            zzz: ONE,
        }
    }

    /// A point that is not infinity with Z = 1.
    #[inline(always)]
    pub(crate) fn to_finite_jacobian(self) -> Jacobian {
        Jacobian {
            x: self.x,
            y: self.y,
            z: ONE,
        }
    }

    /// The same point with Z = 1, or Z = 0 for what stands for infinity.
    pub(crate) fn to_jacobian(self) -> Jacobian {
        let z = limbs::select(self.is_infinity(), &ZERO, &ONE);
        Jacobian {
            x: self.x,
            y: self.y,
            z,
        }
    }
}

impl Jacobian {
    /// The neutral element.
    pub(crate) const INFINITY: Self = Self {
        x: ONE,
        y: ONE,
        z: ZERO,
    };

    pub(crate) fn is_infinity(&self) -> Mask {
        limbs::is_zero(&self.z)
    }

    /// Doubles, in every case: infinity stays, and no point of this group has order two.
    ///
    /// In place, like all that runs in a loop: a copy made of wide loads would wait for the narrow stores before it. Not
    /// inlined: the assembly below needs nearly all registers there are.
    #[inline(never)]
    pub(crate) fn double<A: Arith>(&mut self) {
        let zz = A::sqr(&self.z);
        let y2 = field::double::<A>(&self.y);
        let yy4 = A::sqr(&y2);
        self.z = A::mul(&y2, &self.z);
        let slope = A::mul(&A::sub(&self.x, &zz), &A::add(&self.x, &zz));
        let slope = A::add(&field::double::<A>(&slope), &slope);
        let xyy4 = A::mul(&self.x, &yy4);
        let yyyy8 = A::half(&A::sqr(&yy4));
        self.x = A::sub(&A::sqr(&slope), &field::double::<A>(&xyy4));
        self.y = A::sub(&A::mul(&slope, &A::sub(&xyy4, &self.x)), &yyyy8);
    }

    /// Doubles `times` times.
    #[inline]
    pub(crate) fn double_times<A: Arith>(&mut self, times: usize) {
        for _ in 0..times {
            self.double::<A>();
        }
    }

    /// self + other, except where they are equal or one is infinity: then it must not be used.
    /// Inverse points are right: Z comes out zero.
    #[inline]
    fn add_different<A: Arith>(&self, other: &Self) -> Sum {
        let (z1z1, z2z2) = (A::sqr(&self.z), A::sqr(&other.z));
        let u1 = A::mul(&self.x, &z2z2);
        let u2 = A::mul(&other.x, &z1z1);
        let s1 = A::mul(&self.y, &A::mul(&other.z, &z2z2));
        let s2 = A::mul(&other.y, &A::mul(&self.z, &z1z1));
        let h = A::sub(&u2, &u1);
        let z = A::mul(&A::mul(&self.z, &other.z), &h);
        Sum::finish::<A>(&u1, &s1, &h, &A::sub(&s2, &s1), z)
    }

    /// As [`Self::add_different`], for a term with Z = 1.
    #[inline]
    fn add_different_affine<A: Arith>(&self, other: &Affine) -> Sum {
        let zz = A::sqr(&self.z);
        let u2 = A::mul(&other.x, &zz);
        let s2 = A::mul(&other.y, &A::mul(&self.z, &zz));
        let h = A::sub(&u2, &self.x);
        let z = A::mul(&self.z, &h);
        Sum::finish::<A>(&self.x, &self.y, &h, &A::sub(&s2, &self.y), z)
    }

    /// Adds a point that is neither equal nor infinity, nor is self infinity.
    #[inline]
    pub(crate) fn add_unequal<A: Arith>(&mut self, other: &Self) {
        *self = self.add_different::<A>(other).point;
    }

    /// Adds a table entry that is not equal to self; neither may be infinity. Inverse points are right. Constant time.
    #[inline]
    pub(crate) fn add_unequal_affine<A: Arith>(&mut self, other: &Affine) {
        *self = self.add_different_affine::<A>(other).point;
    }

    /// Adds a table entry, in constant time. Neither may be infinity.
    pub(crate) fn add_affine<A: Arith>(&mut self, other: &Affine) {
        let mut double = *self;
        double.double::<A>();
        let sum = self.add_different_affine::<A>(other);
        *self = Self::select::<A>(sum.equal_terms, &double, &sum.point);
    }

    /// Adds a public point in every case: branches instead of computing both.
    #[inline]
    pub(crate) fn add_affine_vartime<A: Arith>(&mut self, other: &Affine) {
        if *other == Affine::INFINITY {
            return;
        }
        if self.z == ZERO {
            *self = other.to_jacobian();
            return;
        }
        let sum = self.add_different_affine::<A>(other);
        if sum.equal_terms.reveal() {
            self.double::<A>()
        } else {
            *self = sum.point
        }
    }

    #[inline(always)]
    fn select<A: Arith>(mask: Mask, a: &Self, b: &Self) -> Self {
        Self {
            x: A::select(mask, &a.x, &b.x),
            y: A::select(mask, &a.y, &b.y),
            z: A::select(mask, &a.z, &b.z),
        }
    }

    /// The coordinates, with one inversion; infinity gives [`Affine::INFINITY`].
    pub(crate) fn to_affine<A: Arith>(self) -> Affine {
        let inverse = field::invert::<A>(&self.z);
        self.scale::<A>(&inverse)
    }

    /// The coordinates of many points, none of them infinity, with one inversion. On the stack: the points may be secret.
    pub(crate) fn to_affine_all<A: Arith, const COUNT: usize>(
        points: &[Self; COUNT],
    ) -> [Affine; COUNT] {
        let mut inverses = points.map(|point| point.z);
        let mut scratch = [ZERO; COUNT];
        field::invert_all::<A>(&mut inverses, &mut scratch);
        let affine = std::array::from_fn(|i| points[i].scale::<A>(&inverses[i]));
        inverses.zeroize();
        scratch.zeroize();
        affine
    }

    fn scale<A: Arith>(&self, z_inverse: &Element) -> Affine {
        let zz = A::sqr(z_inverse);
        Affine {
            x: A::mul(&self.x, &zz),
            y: A::mul(&self.y, &A::mul(&zz, z_inverse)),
        }
    }
}

impl Extended {
    /// Adds a table entry that is not equal to self; neither may be infinity. Inverse points are right.
    #[inline]
    pub(crate) fn add_unequal_affine<A: Arith>(&mut self, other: &Affine) {
        let h = A::sub(&A::mul(&other.x, &self.zz), &self.x);
        let r = A::sub(&A::mul(&other.y, &self.zzz), &self.y);
        let hh = A::sqr(&h);
        let hhh = A::mul(&h, &hh);
        let v = A::mul(&self.x, &hh);
        self.zz = A::mul(&self.zz, &hh);
        self.zzz = A::mul(&self.zzz, &hhh);
        self.x = A::sub(&A::sub(&A::sqr(&r), &hhh), &field::double::<A>(&v));
        let y_hhh = A::mul(&self.y, &hhh);
        self.y = A::sub(&A::mul(&r, &A::sub(&v, &self.x)), &y_hhh);
    }

    /// The same point with Z = ZZ.
    pub(crate) fn to_jacobian<A: Arith>(self) -> Jacobian {
        Jacobian {
            x: A::mul(&self.x, &self.zz),
            y: A::mul(&self.y, &self.zzz),
            z: self.zz,
        }
    }
}

impl Zeroize for Extended {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.zz.zeroize();
        self.zzz.zeroize();
    }
}

impl Zeroize for Jacobian {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
        self.z.zeroize();
    }
}

impl Zeroize for Affine {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

/// What the addition formula gives, and whether it had no right to: the terms were the same point.
struct Sum {
    point: Jacobian,
    equal_terms: Mask,
}

impl Sum {
    /// The common end of both additions, from the first term (u1, s1) and the differences h = u2 − u1, r = s2 − s1.
    #[inline(always)]
    fn finish<A: Arith>(u1: &Element, s1: &Element, h: &Element, r: &Element, z: Element) -> Self {
        let hh = A::sqr(h);
        let hhh = A::mul(h, &hh);
        let v = A::mul(u1, &hh);
        let x = A::sub(&A::sub(&A::sqr(r), &hhh), &field::double::<A>(&v));
        let y = A::sub(&A::mul(r, &A::sub(&v, &x)), &A::mul(s1, &hhh));
        Self {
            point: Jacobian { x, y, z },
            equal_terms: limbs::is_zero(h).and(limbs::is_zero(r)),
        }
    }
}
