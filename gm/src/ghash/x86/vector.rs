//! What a vector unit must offer for GHASH: carry-less multiplication of as many blocks as it is wide.

use std::arch::x86_64::*;

/// Blocks side by side, each the number of its bytes read big-endian.
///
/// Every method is `unsafe` because it needs the instructions of its implementation; the entry functions of
/// [`super`] enable them, and [`crate::ghash::Backend`] has checked that the processor has them.
pub(super) trait Vector: Copy {
    /// Blocks per vector.
    const BLOCKS: usize;

    /// Reads a vector of numbers.
    unsafe fn load(from: *const u128) -> Self;
    /// Reads a vector of blocks and reverses the bytes of each.
    unsafe fn load_blocks(from: *const u8) -> Self;
    /// One number in the first place, zero elsewhere.
    unsafe fn first(number: __m128i) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// The products of the lower (0) or upper (1) halves of the numbers: of `other` by the first, of self by the last digit.
    unsafe fn multiply<const HALVES: i32>(self, other: Self) -> Self;
    /// The sum of all places.
    unsafe fn fold(self) -> __m128i;
}

/// Reverses the bytes of each block.
const REVERSE: u128 = 0x00010203_04050607_08090A0B_0C0D0E0F;

#[inline(always)]
unsafe fn reverse_order() -> __m128i {
    // SAFETY: both are 128 bits without invalid values.
    unsafe { std::mem::transmute(REVERSE) }
}

// SAFETY of every block below: the instructions are those `Vector` requires of its callers.

/// PCLMULQDQ.
impl Vector for __m128i {
    const BLOCKS: usize = 1;

    #[inline(always)]
    unsafe fn load(from: *const u128) -> Self {
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_blocks(from: *const u8) -> Self {
        unsafe { _mm_shuffle_epi8(_mm_loadu_si128(from.cast()), reverse_order()) }
    }

    #[inline(always)]
    unsafe fn first(number: __m128i) -> Self {
        number
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        unsafe { _mm_xor_si128(self, other) }
    }

    #[inline(always)]
    unsafe fn multiply<const HALVES: i32>(self, other: Self) -> Self {
        unsafe { _mm_clmulepi64_si128::<HALVES>(self, other) }
    }

    #[inline(always)]
    unsafe fn fold(self) -> __m128i {
        self
    }
}

/// VPCLMULQDQ on 256 bits, which needs no AVX-512.
impl Vector for __m256i {
    const BLOCKS: usize = 2;

    #[inline(always)]
    unsafe fn load(from: *const u128) -> Self {
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_blocks(from: *const u8) -> Self {
        unsafe {
            let order = _mm256_broadcastsi128_si256(reverse_order());
            _mm256_shuffle_epi8(_mm256_loadu_si256(from.cast()), order)
        }
    }

    #[inline(always)]
    unsafe fn first(number: __m128i) -> Self {
        unsafe { _mm256_zextsi128_si256(number) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        unsafe { _mm256_xor_si256(self, other) }
    }

    #[inline(always)]
    unsafe fn multiply<const HALVES: i32>(self, other: Self) -> Self {
        unsafe { _mm256_clmulepi64_epi128::<HALVES>(self, other) }
    }

    #[inline(always)]
    unsafe fn fold(self) -> __m128i {
        unsafe {
            let upper = _mm256_extracti128_si256::<1>(self);
            _mm_xor_si128(_mm256_castsi256_si128(self), upper)
        }
    }
}

/// VPCLMULQDQ on 512 bits.
impl Vector for __m512i {
    const BLOCKS: usize = 4;

    #[inline(always)]
    unsafe fn load(from: *const u128) -> Self {
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_blocks(from: *const u8) -> Self {
        unsafe {
            let order = _mm512_broadcast_i32x4(reverse_order());
            _mm512_shuffle_epi8(_mm512_loadu_si512(from.cast()), order)
        }
    }

    #[inline(always)]
    unsafe fn first(number: __m128i) -> Self {
        unsafe { _mm512_zextsi128_si512(number) }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        unsafe { _mm512_xor_si512(self, other) }
    }

    #[inline(always)]
    unsafe fn multiply<const HALVES: i32>(self, other: Self) -> Self {
        unsafe { _mm512_clmulepi64_epi128::<HALVES>(self, other) }
    }

    #[inline(always)]
    unsafe fn fold(self) -> __m128i {
        unsafe {
            let upper = _mm512_extracti64x4_epi64::<1>(self);
            _mm256_xor_si256(_mm512_castsi512_si256(self), upper).fold()
        }
    }
}
