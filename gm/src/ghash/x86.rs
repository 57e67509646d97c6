//! GHASH with carry-less multiplication instructions: many products, one reduction.

#![allow(unsafe_code)]

mod vector;

use std::arch::x86_64::*;

use super::POWERS;
use vector::Vector;

/// Blocks per reduction, for each block of a vector.
const VECTORS: usize = 8;

/// The low, middle and high part of a sum of 256-bit products.
#[derive(Clone, Copy)]
struct Products<V> {
    low: V,
    middle: V,
    high: V,
}

/// Defines the entry functions of one implementation.
macro_rules! implementation {
    ($name:ident, $features:literal, $vector:ty) => {
        pub(super) mod $name {
            use super::*;

            /// Fills the powers this implementation uses downwards from the last entry, H: each is the one after it times H.
            #[target_feature(enable = $features)]
            pub(in crate::ghash) fn fill_powers(powers: &mut [u128; POWERS]) {
                // SAFETY: this function has the instructions of the type.
                unsafe { super::fill_powers::<$vector>(powers) }
            }

            /// The state after whole blocks.
            #[target_feature(enable = $features)]
            pub(in crate::ghash) fn update(
                powers: &[u128; POWERS],
                state: u128,
                blocks: &[u8],
            ) -> u128 {
                // SAFETY: this function has the instructions of the type.
                unsafe { super::update::<$vector>(powers, state, blocks) }
            }
        }
    };
}

implementation!(
    wide512,
    "avx512f,avx512bw,avx512vl,vpclmulqdq,pclmulqdq,avx2",
    __m512i
);
implementation!(wide256, "vpclmulqdq,pclmulqdq,avx2", __m256i);
implementation!(narrow, "pclmulqdq,avx2", __m128i);

#[inline(always)]
unsafe fn fill_powers<V: Vector>(powers: &mut [u128; POWERS]) {
    let used = &mut powers[POWERS - VECTORS * V::BLOCKS..];
    let h = vector(used[used.len() - 1]);
    for i in (0..used.len() - 1).rev() {
        // SAFETY: the caller has V's instructions, which include those for one block.
        used[i] = unsafe { reduce(Products::of(vector(used[i + 1]), h)) };
    }
}

#[inline(always)]
unsafe fn update<V: Vector>(powers: &[u128; POWERS], mut state: u128, blocks: &[u8]) -> u128 {
    for batch in blocks.chunks(16 * VECTORS * V::BLOCKS) {
        let powers = &powers[POWERS - batch.len() / 16..];
        let whole = batch.len() / (16 * V::BLOCKS) * V::BLOCKS;
        // SAFETY: the caller has V's instructions, which include those for one block; there are as many powers as blocks.
        unsafe {
            let mut add = vector(state);
            let mut sum = Products::zero();
            for at in (0..whole).step_by(V::BLOCKS) {
                let x = V::load_blocks(batch.as_ptr().add(16 * at)).xor(V::first(add));
                sum = sum.plus(Products::of(x, V::load(powers.as_ptr().add(at))));
                add = _mm_setzero_si128();
            }
            let mut sum = sum.fold();
            let rest = batch[16 * whole..].chunks_exact(16);
            for (block, power) in rest.zip(&powers[whole..]) {
                let x = __m128i::load_blocks(block.as_ptr()).xor(add);
                sum = sum.plus(Products::of(x, vector(*power)));
                add = _mm_setzero_si128();
            }
            state = reduce(sum);
        }
    }
    state
}

// SAFETY of every block below: the caller has V's instructions.
impl<V: Vector> Products<V> {
    #[inline(always)]
    unsafe fn zero() -> Self {
        let zero = unsafe { V::first(_mm_setzero_si128()) };
        Self {
            low: zero,
            middle: zero,
            high: zero,
        }
    }

    #[inline(always)]
    unsafe fn of(a: V, b: V) -> Self {
        unsafe {
            Self {
                low: a.multiply::<0x00>(b),
                middle: a.multiply::<0x01>(b).xor(a.multiply::<0x10>(b)),
                high: a.multiply::<0x11>(b),
            }
        }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        unsafe {
            Self {
                low: self.low.xor(other.low),
                middle: self.middle.xor(other.middle),
                high: self.high.xor(other.high),
            }
        }
    }

    #[inline(always)]
    unsafe fn fold(self) -> Products<__m128i> {
        unsafe {
            Products {
                low: self.low.fold(),
                middle: self.middle.fold(),
                high: self.high.fold(),
            }
        }
    }
}

/// Montgomery's reduction modulo x¹²⁸ + x¹²⁷ + x¹²⁶ + x¹²¹ + 1: twice add a multiple that clears 64 low bits.
#[inline(always)]
unsafe fn reduce(Products { low, middle, high }: Products<__m128i>) -> u128 {
    // SAFETY: the caller has PCLMULQDQ and AVX2.
    unsafe {
        let polynomial = _mm_set_epi64x(0, 0xC2 << 56);
        let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
        let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
        let fold = |x: __m128i| {
            let swapped = _mm_shuffle_epi32::<0b01_00_11_10>(x);
            _mm_xor_si128(swapped, _mm_clmulepi64_si128::<0x00>(x, polynomial))
        };
        number(_mm_xor_si128(high, fold(fold(low))))
    }
}

#[inline(always)]
fn vector(value: u128) -> __m128i {
    // SAFETY: both are 128 bits without invalid values.
    unsafe { std::mem::transmute(value) }
}

#[inline(always)]
fn number(value: __m128i) -> u128 {
    // SAFETY: both are 128 bits without invalid values.
    unsafe { std::mem::transmute(value) }
}
