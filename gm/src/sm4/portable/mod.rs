//! SM4 in plain Rust, bit-sliced and constant-time: the path of every processor without a faster one.
//!
//! Eight blocks share the 32 bits of a plane: bit `8m + k` of plane `i` is bit `i` of byte `m` of block `k`'s word.
//! Rotating a word by whole bytes is then rotating each plane, and rotating it by two bits renames planes.

mod sbox;

use sbox::{Plane, sbox};

use super::key::xor;
use super::schedule::RoundKeys;

/// One 32-bit word of eight blocks.
type Word = [Plane; 8];

/// Bytes of the eight blocks that share their planes.
const BATCH: usize = 16 * 8;

/// Encrypts whole blocks in place (decrypts, with the round keys reversed).
pub(super) fn crypt(keys: &RoundKeys, data: &mut [u8]) {
    for batch in data.chunks_mut(BATCH) {
        crypt_batch(keys, batch);
    }
}

/// Adds the key stream of `prefix ‖ counter`, counted modulo 2³², to whole blocks.
pub(super) fn ctr(keys: &RoundKeys, prefix: [u32; 3], mut counter: u32, data: &mut [u8]) {
    let mut stream = [0; BATCH];
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
    let planes = std::array::from_fn(|i| word >> i & 0x0101_0101);
    let out = sbox(planes);
    (0..8).fold(0, |word, i| word | (out[i] & 0x0101_0101) << i)
}

/// At most eight blocks.
fn crypt_batch(keys: &RoundKeys, batch: &mut [u8]) {
    let mut x: [Word; 4] = std::array::from_fn(|word| gather(batch, word));
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
fn round(x: [Word; 4], order: [usize; 4], key: u32) -> Word {
    let [w0, w1, w2, w3] = order.map(|i| x[i]);
    let mixed = std::array::from_fn(|i| {
        // One key bit per byte, spread over the eight blocks of the group.
        let bit = (key >> i & 0x0101_0101) * 0xFF;
        w1[i] ^ w2[i] ^ w3[i] ^ bit
    });
    let b = sbox(mixed);
    let l = linear(b);
    std::array::from_fn(|i| w0[i] ^ l[i])
}

/// L(B) = B ⊕ (B⋘2) ⊕ (B⋘10) ⊕ (B⋘18) ⊕ (B⋘24).
#[inline(always)]
fn linear(b: Word) -> Word {
    let bytes = |plane: Plane, count: u32| plane.rotate_left(8 * count);
    std::array::from_fn(|i| {
        let by2 = if i < 2 { bytes(b[i + 6], 1) } else { b[i - 2] };
        b[i] ^ by2 ^ bytes(by2, 1) ^ bytes(by2, 2) ^ bytes(b[i], 3)
    })
}

/// Word `word` of every block, as planes; blocks that are not there are zero.
fn gather(batch: &[u8], word: usize) -> Word {
    let mut rows = [0; 8];
    for (row, block) in rows.iter_mut().zip(batch.chunks_exact(16)) {
        *row = u32::from_be_bytes(std::array::from_fn(|i| block[4 * word + i]));
    }
    transpose(&mut rows);
    rows
}

/// The inverse of [`gather`].
fn scatter(mut planes: Word, batch: &mut [u8], word: usize) {
    transpose(&mut planes);
    for (row, block) in planes.iter().zip(batch.chunks_exact_mut(16)) {
        block[4 * word..4 * word + 4].copy_from_slice(&row.to_be_bytes());
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
