//! GHASH with carry-less multiplication instructions: many products, one reduction.

#![allow(unsafe_code)]

pub(super) mod wide;

use std::arch::x86_64::*;

use super::POWERS;

/// Blocks per reduction on 128 bits.
pub(super) const NARROW: usize = 8;

/// The low, middle and high part of a sum of 256-bit products.
#[derive(Clone, Copy)]
struct Product {
    low: __m128i,
    middle: __m128i,
    high: __m128i,
}

/// Fills `powers` downwards from the last entry, H: each is the one after it times H.
#[target_feature(enable = "pclmulqdq,avx2")]
pub(super) fn fill_powers(powers: &mut [u128]) {
    let Some(&h) = powers.last() else { return };
    for i in (0..powers.len() - 1).rev() {
        powers[i] = reduce(multiply(vector(powers[i + 1]), vector(h)));
    }
}

/// The state after whole blocks.
#[target_feature(enable = "pclmulqdq,avx2")]
pub(super) fn update(powers: &[u128; POWERS], mut state: u128, blocks: &[u8]) -> u128 {
    let (blocks, _) = blocks.as_chunks::<16>();
    for batch in blocks.chunks(NARROW) {
        let powers = &powers[POWERS - batch.len()..];
        let first = state ^ u128::from_be_bytes(batch[0]);
        let mut sum = multiply(vector(first), vector(powers[0]));
        for (block, power) in batch.iter().zip(powers).skip(1) {
            let product = multiply(vector(u128::from_be_bytes(*block)), vector(*power));
            sum.low = _mm_xor_si128(sum.low, product.low);
            sum.middle = _mm_xor_si128(sum.middle, product.middle);
            sum.high = _mm_xor_si128(sum.high, product.high);
        }
        state = reduce(sum);
    }
    state
}

#[inline]
#[target_feature(enable = "pclmulqdq,avx2")]
fn multiply(a: __m128i, b: __m128i) -> Product {
    Product {
        low: _mm_clmulepi64_si128::<0x00>(a, b),
        middle: _mm_xor_si128(
            _mm_clmulepi64_si128::<0x01>(a, b),
            _mm_clmulepi64_si128::<0x10>(a, b),
        ),
        high: _mm_clmulepi64_si128::<0x11>(a, b),
    }
}

/// Montgomery's reduction modulo x¹²⁸ + x¹²⁷ + x¹²⁶ + x¹²¹ + 1: twice add a multiple that clears 64 low bits.
#[inline]
#[target_feature(enable = "pclmulqdq,avx2")]
fn reduce(Product { low, middle, high }: Product) -> u128 {
    let polynomial = _mm_set_epi64x(0, 0xC2 << 56);
    let low = _mm_xor_si128(low, _mm_slli_si128::<8>(middle));
    let high = _mm_xor_si128(high, _mm_srli_si128::<8>(middle));
    let fold = |x: __m128i| {
        let swapped = _mm_shuffle_epi32::<0b01_00_11_10>(x);
        _mm_xor_si128(swapped, _mm_clmulepi64_si128::<0x00>(x, polynomial))
    };
    number(_mm_xor_si128(high, fold(fold(low))))
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
