//! Multiplication modulo the field prime, by the fastest code the processor has.
//!
//! Everything above is written once, generic over [`Arith`]; the choice is made at the entrance of each public operation
//! by [`with_arith!`], so that no inner loop asks which processor it runs on.

#[cfg(target_arch = "x86_64")]
mod adx;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use adx::Adx;
pub(crate) use portable::{Portable, product};

use super::limbs::{Limbs, Mask};
use super::point::Affine;

/// The field prime p = 2^256 − 2^224 − 2^96 + 2^64 − 1 (GB/T 32918.5-2017, 2).
pub(crate) const P: Limbs = [
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_0000_0000,
    0xffff_ffff_ffff_ffff,
    0xffff_fffe_ffff_ffff,
];

/// The operations whose code depends on the processor. Operands and results are below p, in Montgomery form.
/// None branches on a value or indexes by one.
pub(crate) trait Arith {
    /// a·b / 2^256 mod p.
    fn mul(a: &Limbs, b: &Limbs) -> Limbs;
    /// a² / 2^256 mod p.
    fn sqr(a: &Limbs) -> Limbs;
    /// a + b mod p.
    fn add(a: &Limbs, b: &Limbs) -> Limbs;
    /// a − b mod p.
    fn sub(a: &Limbs, b: &Limbs) -> Limbs;
    /// a / 2 mod p.
    fn half(a: &Limbs) -> Limbs;
    /// `a` where the mask is set, `b` elsewhere.
    fn select(mask: Mask, a: &Limbs, b: &Limbs) -> Limbs;
    /// Entry `index` of `table`, reading every entry.
    fn lookup(table: &[Affine], index: u64) -> Affine;
}

/// The implementations there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// `mulx`, `adcx`, `adox` and AVX2.
    #[cfg(target_arch = "x86_64")]
    Adx,
    /// 64×64→128-bit multiplication as the compiler does it.
    Portable,
}

impl Backend {
    /// The fastest one this processor runs.
    #[inline]
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("adx")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("avx2")
        {
            return Self::Adx;
        }
        Self::Portable
    }

    /// Its name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Adx => "x86-64 MULX/ADX",
            Self::Portable => "portable",
        }
    }
}

/// Evaluates an expression with a type name standing for the [`Arith`] of this processor.
macro_rules! with_arith {
    ($name:ident => $body:expr) => {
        match $crate::sm2::arith::Backend::detect() {
            #[cfg(target_arch = "x86_64")]
            $crate::sm2::arith::Backend::Adx => {
                type $name = $crate::sm2::arith::Adx;
                $body
            }
            $crate::sm2::arith::Backend::Portable => {
                type $name = $crate::sm2::arith::Portable;
                $body
            }
        }
    };
}
pub(crate) use with_arith;
