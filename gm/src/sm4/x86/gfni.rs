//! The S-box with GFNI: the inverse and a matrix in one instruction.

use std::arch::x86_64::*;

use super::avx2::{IN, OUT, Substitution};

/// See [`super::lanes`]: the three matrices behind the inverse, with `In` absorbed.
pub(super) const A: u64 = 0x040D_B891_E9A4_81B7;
pub(super) const B: u64 = 0x2C02_0425_1620_40AD;
pub(super) const C: u64 = 0x280F_BCB4_FF84_C11A;
/// `In·L(g)`: the constant of the S-box, seen through L.
pub(super) const A_CONSTANT: i32 = 0x63;

/// GFNI on 256 bits.
pub(super) struct Gfni;

#[inline(always)]
unsafe fn matrix(rows: u64) -> __m256i {
    // SAFETY: AVX2 is there wherever `Gfni` is used.
    unsafe { _mm256_set1_epi64x(rows as i64) }
}

// SAFETY of every block below: the instructions are those `Lanes` requires of its callers.
impl Substitution for Gfni {
    #[inline(always)]
    unsafe fn enter(x: __m256i) -> __m256i {
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(x, matrix(IN)) }
    }

    #[inline(always)]
    unsafe fn leave(x: __m256i) -> __m256i {
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(x, matrix(OUT)) }
    }

    #[inline(always)]
    unsafe fn parts(t: __m256i) -> [__m256i; 3] {
        unsafe {
            [
                _mm256_gf2p8affineinv_epi64_epi8::<A_CONSTANT>(t, matrix(A)),
                _mm256_gf2p8affineinv_epi64_epi8::<0>(t, matrix(B)),
                _mm256_gf2p8affineinv_epi64_epi8::<0>(t, matrix(C)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn parts_low(t: __m256i) -> [__m256i; 3] {
        unsafe { Self::parts(t) }
    }
}
