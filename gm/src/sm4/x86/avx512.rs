//! [`Lanes`] of 512 bits: GFNI, AVX-512F, BW and VL.

use std::arch::x86_64::*;

use super::avx2::{IN, OUT, WORD_SWAP};
use super::gfni::{A, A_CONSTANT, B, C};
use super::lanes::Lanes;

/// Sixteen words.
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512i);

#[inline(always)]
unsafe fn matrix(rows: u64) -> __m512i {
    // SAFETY: AVX-512F is there wherever `Wide` is used.
    unsafe { _mm512_set1_epi64(rows as i64) }
}

// SAFETY of every block below: the instructions are those `Lanes` requires of its callers.
impl Lanes for Wide {
    const BLOCKS: usize = 16;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn load_block(from: *const u8) -> Self {
        unsafe { Self(_mm512_zextsi128_si512(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_block(self, to: *mut u8) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_castsi512_si128(self.0)) }
    }

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        unsafe { Self(_mm512_set1_epi32(word as i32)) }
    }

    #[inline(always)]
    unsafe fn count(start: u32) -> Self {
        unsafe {
            let offsets = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            Self(_mm512_add_epi32(Self::splat(start).0, offsets))
        }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        unsafe { Self(_mm512_xor_si512(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn swap_bytes(self) -> Self {
        unsafe {
            Self(_mm512_shuffle_epi8(
                self.0,
                _mm512_broadcast_i32x4(bytes(WORD_SWAP)),
            ))
        }
    }

    #[inline(always)]
    unsafe fn enter(self) -> Self {
        unsafe { Self(_mm512_gf2p8affine_epi64_epi8::<0>(self.0, matrix(IN))) }
    }

    #[inline(always)]
    unsafe fn leave(self) -> Self {
        unsafe { Self(_mm512_gf2p8affine_epi64_epi8::<0>(self.0, matrix(OUT))) }
    }

    #[inline(always)]
    unsafe fn xor3(self, other: Self, last: Self) -> Self {
        unsafe { Self(xor3(self.0, other.0, last.0)) }
    }

    #[inline(always)]
    unsafe fn substitute(self, Self(t): Self) -> Self {
        unsafe {
            let a = _mm512_gf2p8affineinv_epi64_epi8::<A_CONSTANT>(t, matrix(A));
            let b = _mm512_gf2p8affineinv_epi64_epi8::<0>(t, matrix(B));
            let c = _mm512_gf2p8affineinv_epi64_epi8::<0>(t, matrix(C));
            let low = xor3(self.0, a, _mm512_rol_epi32::<8>(b));
            Self(xor3(
                low,
                _mm512_rol_epi32::<16>(b),
                _mm512_rol_epi32::<24>(c),
            ))
        }
    }

    #[inline(always)]
    unsafe fn unpack_low_words(self, other: Self) -> Self {
        unsafe { Self(_mm512_unpacklo_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_high_words(self, other: Self) -> Self {
        unsafe { Self(_mm512_unpackhi_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_low_pairs(self, other: Self) -> Self {
        unsafe { Self(_mm512_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_high_pairs(self, other: Self) -> Self {
        unsafe { Self(_mm512_unpackhi_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn rotate_block(self) -> Self {
        unsafe { Self(_mm512_shuffle_epi32::<0b01_00_11_10>(self.0)) }
    }
}

#[inline(always)]
unsafe fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // SAFETY: as above. 0x96 is the truth table of the exclusive or of three.
    unsafe { _mm512_ternarylogic_epi32::<0x96>(a, b, c) }
}

#[inline(always)]
unsafe fn bytes(value: u128) -> __m128i {
    // SAFETY: both are 128 bits without invalid values.
    unsafe { std::mem::transmute(value) }
}
