//! SM4 in plain Rust, bit-sliced and constant-time: the path of every processor without a faster one.
//!
//! Eight blocks share the 32 bits of a plane: bit `8m + k` of plane `i` is bit `i` of byte `m` of block `k`'s word.
//! Rotating a word by whole bytes is then rotating each plane, and rotating it by two bits renames planes.

mod sbox;

use sbox::{Plane, sbox};

use super::key::xor;
use super::schedule::RoundKeys;

/// One 32-bit word of `8·N` blocks.
type Word<const N: usize> = [Plane<N>; 8];

/// Blocks that share one plane word.
const GROUP: usize = 8;
/// Plane words processed together where there is enough data: 128 bits, the vector width compilers find everywhere.
const WIDE: usize = 4;

/// Encrypts whole blocks in place (decrypts, with the round keys reversed).
pub(super) fn crypt(keys: &RoundKeys, data: &mut [u8]) {
    let mut wide = data.chunks_exact_mut(16 * GROUP * WIDE);
    for batch in &mut wide {
        crypt_batch::<WIDE>(keys, batch);
    }
    for batch in wide.into_remainder().chunks_mut(16 * GROUP) {
        crypt_batch::<1>(keys, batch);
    }
}

/// Adds the key stream of `prefix ‖ counter`, counted modulo 2³², to whole blocks.
pub(super) fn ctr(keys: &RoundKeys, prefix: [u32; 3], mut counter: u32, data: &mut [u8]) {
    let mut stream = [0; 16 * GROUP * WIDE];
    for batch in data.chunks_mut(stream.len()) {
        let stream = &mut stream[..batch.len()];
        for block in stream.chunks_exact_mut(16) {
            let words = [prefix[0], prefix[1], prefix[2], counter];
            for (bytes, word) in block.chunks_exact_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_be_bytes());
            }
            counter = counter.wrapping_add(1);
        }
        crypt(keys, stream);
        xor(batch, stream);
    }
}

/// The S-box on the four bytes of one word, for the key schedule.
pub(super) fn substitute(word: u32) -> u32 {
    let planes = std::array::from_fn(|i| Plane([word >> i & 0x0101_0101]));
    let out = sbox(planes);
    (0..8).fold(0, |word, i| word | (out[i].0[0] & 0x0101_0101) << i)
}

/// At most `8·N` blocks.
fn crypt_batch<const N: usize>(keys: &RoundKeys, batch: &mut [u8]) {
    let mut x: [Word<N>; 4] = std::array::from_fn(|word| gather(batch, word));
    for k in keys.as_words().chunks_exact(4) {
        x[0] = round(x, [0, 1, 2, 3], k[0]);
        x[1] = round(x, [1, 2, 3, 0], k[1]);
        x[2] = round(x, [2, 3, 0, 1], k[2]);
        x[3] = round(x, [3, 0, 1, 2], k[3]);
    }
    for (word, planes) in x.into_iter().rev().enumerate() {
        scatter(planes, batch, word);
    }
}

/// X₀ ⊕ T(X₁ ⊕ X₂ ⊕ X₃ ⊕ rk), GB/T 32907 §6.2, with the words in the given order.
#[inline(always)]
fn round<const N: usize>(x: [Word<N>; 4], order: [usize; 4], key: u32) -> Word<N> {
    let [w0, w1, w2, w3] = order.map(|i| x[i]);
    let mixed = std::array::from_fn(|i| {
        // One key bit per byte, spread over the eight blocks of the group.
        let bit = (key >> i & 0x0101_0101) * 0xFF;
        (w1[i] ^ w2[i] ^ w3[i]).map(|plane| plane ^ bit)
    });
    let b = sbox(mixed);
    let l = linear(b);
    std::array::from_fn(|i| w0[i] ^ l[i])
}

/// L(B) = B ⊕ (B⋘2) ⊕ (B⋘10) ⊕ (B⋘18) ⊕ (B⋘24).
#[inline(always)]
fn linear<const N: usize>(b: Word<N>) -> Word<N> {
    let bytes = |plane: Plane<N>, count: u32| plane.map(|w| w.rotate_left(8 * count));
    std::array::from_fn(|i| {
        let by2 = if i < 2 { bytes(b[i + 6], 1) } else { b[i - 2] };
        b[i] ^ by2 ^ bytes(by2, 1) ^ bytes(by2, 2) ^ bytes(b[i], 3)
    })
}

/// Word `word` of every block, as planes; blocks that are not there are zero.
fn gather<const N: usize>(batch: &[u8], word: usize) -> Word<N> {
    let mut planes = [Plane([0; N]); 8];
    for (n, group) in batch.chunks(16 * GROUP).enumerate() {
        let mut rows = [0; 8];
        for (row, block) in rows.iter_mut().zip(group.chunks_exact(16)) {
            let bytes = [0, 1, 2, 3].map(|i| block[4 * word + i]);
            *row = u32::from_be_bytes(bytes);
        }
        transpose(&mut rows);
        for (plane, row) in planes.iter_mut().zip(rows) {
            plane.0[n] = row;
        }
    }
    planes
}

/// The inverse of [`gather`].
fn scatter<const N: usize>(planes: Word<N>, batch: &mut [u8], word: usize) {
    for (n, group) in batch.chunks_mut(16 * GROUP).enumerate() {
        let mut rows = planes.map(|plane| plane.0[n]);
        transpose(&mut rows);
        for (row, block) in rows.iter().zip(group.chunks_exact_mut(16)) {
            block[4 * word..4 * word + 4].copy_from_slice(&row.to_be_bytes());
        }
    }
}

/// Exchanges bit `i` of byte `m` of row `k` with bit `k` of byte `m` of row `i`: four 8×8 transpositions at once.
fn transpose(rows: &mut [u32; 8]) {
    for (distance, mask) in [(1, 0x5555_5555), (2, 0x3333_3333), (4, 0x0F0F_0F0F)] {
        for low in (0..8).filter(|row| row & distance == 0) {
            let high = low + distance;
            let swap = (rows[low] >> distance ^ rows[high]) & mask;
            rows[low] ^= swap << distance;
            rows[high] ^= swap;
        }
    }
}
