//! Four products per instruction (VPCLMULQDQ on 512 bits).

use std::arch::x86_64::*;

use super::super::POWERS;
use super::{Product, reduce, vector};

/// Reverses the bytes of each block.
const REVERSE: u128 = 0x00010203_04050607_08090A0B_0C0D0E0F;

/// The low, middle and high part of four sums of products.
struct Products {
    low: __m512i,
    middle: __m512i,
    high: __m512i,
}

/// The state after whole blocks.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,vpclmulqdq,pclmulqdq,avx2")]
pub(in crate::ghash) fn update(powers: &[u128; POWERS], mut state: u128, blocks: &[u8]) -> u128 {
    for batch in blocks.chunks(16 * POWERS) {
        let count = batch.len() / 16;
        let mut add = _mm512_zextsi128_si512(vector(state));
        let mut sum = Products {
            low: zero(),
            middle: zero(),
            high: zero(),
        };
        let (fours, rest) = batch.as_chunks::<64>();
        for (i, four) in fours.iter().enumerate() {
            // SAFETY: `count` powers lie from there on, four of them for these blocks.
            let power =
                unsafe { _mm512_loadu_si512(powers.as_ptr().add(POWERS - count + 4 * i).cast()) };
            // SAFETY: 64 bytes.
            let x = unsafe { _mm512_loadu_si512(four.as_ptr().cast()) };
            accumulate(&mut sum, _mm512_xor_si512(reverse(x), add), power);
            add = zero();
        }
        if !rest.is_empty() {
            let mask = (1u8 << (rest.len() / 8)) - 1;
            // SAFETY: the mask covers exactly the blocks of the rest, and as many powers lie at the end.
            let (x, power) = unsafe {
                let from = powers.as_ptr().add(POWERS - rest.len() / 16);
                (
                    _mm512_maskz_loadu_epi64(mask, rest.as_ptr().cast()),
                    _mm512_maskz_loadu_epi64(mask, from.cast()),
                )
            };
            accumulate(&mut sum, _mm512_xor_si512(reverse(x), add), power);
        }
        state = reduce(Product {
            low: fold(sum.low),
            middle: fold(sum.middle),
            high: fold(sum.high),
        });
    }
    state
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,vpclmulqdq")]
fn accumulate(sum: &mut Products, x: __m512i, power: __m512i) {
    sum.low = _mm512_xor_si512(sum.low, _mm512_clmulepi64_epi128::<0x00>(x, power));
    sum.high = _mm512_xor_si512(sum.high, _mm512_clmulepi64_epi128::<0x11>(x, power));
    sum.middle = _mm512_ternarylogic_epi64::<0x96>(
        sum.middle,
        _mm512_clmulepi64_epi128::<0x01>(x, power),
        _mm512_clmulepi64_epi128::<0x10>(x, power),
    );
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn reverse(x: __m512i) -> __m512i {
    _mm512_shuffle_epi8(x, _mm512_broadcast_i32x4(vector(REVERSE)))
}

/// The sum of the four lanes.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn fold(x: __m512i) -> __m128i {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
    _mm_xor_si128(
        _mm256_castsi256_si128(half),
        _mm256_extracti128_si256::<1>(half),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> __m512i {
    _mm512_setzero_si512()
}
