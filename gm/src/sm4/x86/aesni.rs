//! The S-box with AES-NI: AES's own S-box is the same inverse with another matrix behind it.
//!
//! Matrices are applied by looking up both halves of a byte in a register (`pshufb`), never in memory.

use std::arch::x86_64::*;

use super::avx2::{Substitution, twice};

/// AES-NI on the two halves of 256 bits.
pub(super) struct AesNi;

/// A matrix as the images of the low and of the high half of a byte.
struct Matrix {
    low: u128,
    high: u128,
}

const IN: Matrix = Matrix {
    low: 0xA62A961A_23AF139F_39B50985_BC308C00,
    high: 0x3FE311CD_FA26D408_37EB19C5_F22EDC00,
};
const OUT: Matrix = Matrix {
    low: 0xF2772BAE_DC590580_72F7AB2E_5CD98500,
    high: 0xE9BCBEEB_ADF8FAAF_46131144_02575500,
};
/// The three matrices of [`super::lanes`] behind AES's; the constants of both S-boxes are in the first.
const A: Matrix = Matrix {
    low: 0x47C19412_3FB9EC6A_5BDD880E_23A5F076,
    high: 0x0AE1D63D_FA1126CD_C72C1BF0_37DCEB00,
};
const B: Matrix = Matrix {
    low: 0x3CEF31E2_9C4F9142_7EAD73A0_DE0DD300,
    high: 0xC3778A3E_41F508BC_7FCB3682_FD49B400,
};
const C: Matrix = Matrix {
    low: 0x0D58D386_D5800B5E_53068DD8_8BDE5500,
    high: 0xC9965C03_BBE42E71_B8E72D72_CA955F00,
};
/// Undoes the ShiftRows that comes with AES's last round.
const UNSHIFT: u128 = 0x0306090C_0F020508_0B0E0104_070A0D00;

impl Matrix {
    #[inline(always)]
    unsafe fn apply(&self, low: __m256i, high: __m256i) -> __m256i {
        // SAFETY: AVX2 is there.
        unsafe {
            _mm256_xor_si256(
                _mm256_shuffle_epi8(twice(self.low), low),
                _mm256_shuffle_epi8(twice(self.high), high),
            )
        }
    }
}

/// The halves of every byte.
#[inline(always)]
unsafe fn nibbles(x: __m256i) -> (__m256i, __m256i) {
    // SAFETY: AVX2 is there.
    unsafe {
        let mask = _mm256_set1_epi8(0x0F);
        let low = _mm256_and_si256(x, mask);
        let high = _mm256_and_si256(_mm256_srli_epi32::<4>(x), mask);
        (low, high)
    }
}

#[inline(always)]
unsafe fn parts_of(inverse: __m256i) -> [__m256i; 3] {
    // SAFETY: AVX2 is there.
    unsafe {
        let (low, high) = nibbles(_mm256_shuffle_epi8(inverse, twice(UNSHIFT)));
        [A.apply(low, high), B.apply(low, high), C.apply(low, high)]
    }
}

// SAFETY of every block below: the instructions are those `Lanes` requires of its callers.
impl Substitution for AesNi {
    #[inline(always)]
    unsafe fn enter(x: __m256i) -> __m256i {
        unsafe {
            let (low, high) = nibbles(x);
            IN.apply(low, high)
        }
    }

    #[inline(always)]
    unsafe fn leave(x: __m256i) -> __m256i {
        unsafe {
            let (low, high) = nibbles(x);
            OUT.apply(low, high)
        }
    }

    #[inline(always)]
    unsafe fn parts(t: __m256i) -> [__m256i; 3] {
        unsafe {
            let zero = _mm_setzero_si128();
            let low = _mm_aesenclast_si128(_mm256_castsi256_si128(t), zero);
            let high = _mm_aesenclast_si128(_mm256_extracti128_si256::<1>(t), zero);
            parts_of(_mm256_set_m128i(high, low))
        }
    }

    #[inline(always)]
    unsafe fn parts_low(t: __m256i) -> [__m256i; 3] {
        unsafe {
            let low = _mm_aesenclast_si128(_mm256_castsi256_si128(t), _mm_setzero_si128());
            parts_of(_mm256_zextsi128_si256(low))
        }
    }
}
