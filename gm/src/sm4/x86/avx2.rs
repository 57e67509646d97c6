//! [`Lanes`] of 256 bits: AVX2, with the S-box by GFNI or by AES-NI.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::lanes::Lanes;

/// Eight words, with the S-box of `S`.
pub(super) struct Half<S>(pub(super) __m256i, PhantomData<S>);

/// The part of a round that depends on how the S-box is computed.
pub(super) trait Substitution {
    /// `In·x` for every byte.
    unsafe fn enter(x: __m256i) -> __m256i;
    /// The inverse of [`Substitution::enter`].
    unsafe fn leave(x: __m256i) -> __m256i;
    /// a, b and c of [`super::lanes`].
    unsafe fn parts(t: __m256i) -> [__m256i; 3];
    /// [`Substitution::parts`] of the lower half; the upper half of the answer is anything.
    unsafe fn parts_low(t: __m256i) -> [__m256i; 3];
}

/// `In`, as GFNI wants a matrix.
pub(super) const IN: u64 = 0x4C28_7DB9_1A22_505D;
/// `In⁻¹`.
pub(super) const OUT: u64 = 0xB3A4_F586_3284_728B;
/// Reverses the bytes of each word.
pub(super) const WORD_SWAP: u128 = 0x0C0D0E0F_08090A0B_04050607_00010203;
/// Rotates each word left by one, two and three bytes.
const ROTATIONS: [u128; 3] = [
    0x0E0D0C0F_0A09080B_06050407_02010003,
    0x0D0C0F0E_09080B0A_05040706_01000302,
    0x0C0F0E0D_080B0A09_04070605_00030201,
];

impl<S> Clone for Half<S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Half<S> {}

impl<S> Half<S> {
    #[inline(always)]
    fn new(value: __m256i) -> Self {
        Self(value, PhantomData)
    }
}

// SAFETY of every block below: the instructions are those `Lanes` requires of its callers.
impl<S: Substitution> Lanes for Half<S> {
    const BLOCKS: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        unsafe { Self::new(_mm256_loadu_si256(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut u8) {
        unsafe { _mm256_storeu_si256(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn load_block(from: *const u8) -> Self {
        unsafe { Self::new(_mm256_zextsi128_si256(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_block(self, to: *mut u8) {
        unsafe { _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(self.0)) }
    }

    #[inline(always)]
    unsafe fn splat(word: u32) -> Self {
        unsafe { Self::new(_mm256_set1_epi32(word as i32)) }
    }

    #[inline(always)]
    unsafe fn count(start: u32) -> Self {
        unsafe {
            let offsets = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
            Self::new(_mm256_add_epi32(Self::splat(start).0, offsets))
        }
    }

    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        unsafe { Self::new(_mm256_xor_si256(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn swap_bytes(self) -> Self {
        unsafe { Self::new(_mm256_shuffle_epi8(self.0, twice(WORD_SWAP))) }
    }

    #[inline(always)]
    unsafe fn enter(self) -> Self {
        unsafe { Self::new(S::enter(self.0)) }
    }

    #[inline(always)]
    unsafe fn leave(self) -> Self {
        unsafe { Self::new(S::leave(self.0)) }
    }

    #[inline(always)]
    unsafe fn xor3(self, other: Self, last: Self) -> Self {
        unsafe { self.xor(other).xor(last) }
    }

    #[inline(always)]
    unsafe fn substitute(self, t: Self) -> Self {
        unsafe { Self::new(linear(self.0, S::parts(t.0))) }
    }

    #[inline(always)]
    unsafe fn substitute_single(self, t: Self) -> Self {
        unsafe { Self::new(linear(self.0, S::parts_low(t.0))) }
    }

    #[inline(always)]
    unsafe fn unpack_low_words(self, other: Self) -> Self {
        unsafe { Self::new(_mm256_unpacklo_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_high_words(self, other: Self) -> Self {
        unsafe { Self::new(_mm256_unpackhi_epi32(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_low_pairs(self, other: Self) -> Self {
        unsafe { Self::new(_mm256_unpacklo_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn unpack_high_pairs(self, other: Self) -> Self {
        unsafe { Self::new(_mm256_unpackhi_epi64(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn rotate_block(self) -> Self {
        unsafe { Self::new(_mm256_shuffle_epi32::<0b01_00_11_10>(self.0)) }
    }
}

/// x0 ⊕ a ⊕ (b⋘8) ⊕ (b⋘16) ⊕ (c⋘24).
#[inline(always)]
unsafe fn linear(x0: __m256i, [a, b, c]: [__m256i; 3]) -> __m256i {
    // SAFETY: AVX2 is there.
    unsafe {
        let b1 = _mm256_shuffle_epi8(b, twice(ROTATIONS[0]));
        let b2 = _mm256_shuffle_epi8(b, twice(ROTATIONS[1]));
        let c3 = _mm256_shuffle_epi8(c, twice(ROTATIONS[2]));
        _mm256_xor_si256(
            _mm256_xor_si256(x0, a),
            _mm256_xor_si256(_mm256_xor_si256(b1, b2), c3),
        )
    }
}

/// A constant in both halves.
#[inline(always)]
pub(super) unsafe fn twice(value: u128) -> __m256i {
    // SAFETY: both are 128 bits without invalid values, and AVX2 is there.
    unsafe { _mm256_broadcastsi128_si256(std::mem::transmute::<u128, __m128i>(value)) }
}
