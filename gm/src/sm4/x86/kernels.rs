//! The batch loops, written once over [`Lanes`]. `G` groups go side by side, to hide the latency
//! of a round.

use super::lanes::{KEY_CONSTANT, Lanes, transpose};

/// Brings plain round keys into the basis of `V`.
#[inline(always)]
pub(super) unsafe fn prepare<V: Lanes>(keys: &mut [u32; 32]) {
    // SAFETY: 32 words are a multiple of every vector's length, and unaligned access is allowed.
    unsafe {
        for words in keys.chunks_exact_mut(V::BLOCKS) {
            let at = words.as_mut_ptr().cast::<u8>();
            V::load(at).enter().xor(V::splat(KEY_CONSTANT)).store(at);
        }
    }
}

/// Encrypts (or, with reversed keys, decrypts) whole blocks in place.
#[inline(always)]
pub(super) unsafe fn crypt<V: Lanes>(keys: &[u32; 32], data: &mut [u8]) {
    // SAFETY: the caller has V's instructions.
    unsafe {
        let data = crypt_batches::<V, 4>(keys, data);
        let data = crypt_batches::<V, 2>(keys, data);
        let rest = crypt_batches::<V, 1>(keys, data);
        if !rest.is_empty() {
            padded(rest, |padded| {
                crypt_batches::<V, 1>(keys, padded);
            });
        }
    }
}

/// Adds the key stream of the blocks `prefix ‖ counter`, `prefix ‖ counter + 1`, … (modulo 2³²) to whole blocks.
#[inline(always)]
pub(super) unsafe fn ctr<V: Lanes>(
    keys: &[u32; 32],
    prefix: [u32; 3],
    counter: u32,
    data: &mut [u8],
) {
    // SAFETY: the caller has V's instructions.
    unsafe {
        let prefix = prefix.map(|word| V::splat(word).enter());
        let mut counter = counter;
        let data = ctr_batches::<V, 4>(keys, prefix, &mut counter, data);
        let data = ctr_batches::<V, 2>(keys, prefix, &mut counter, data);
        let rest = ctr_batches::<V, 1>(keys, prefix, &mut counter, data);
        if !rest.is_empty() {
            padded(rest, |padded| {
                ctr_batches::<V, 1>(keys, prefix, &mut counter, padded);
            });
        }
    }
}

/// CBC encryption of whole blocks in place; returns nothing, the last block is the next chaining value.
#[inline(always)]
pub(super) unsafe fn cbc_encrypt<V: Lanes>(keys: &[u32; 32], iv: &[u8; 16], data: &mut [u8]) {
    // SAFETY: every pointer covers one block.
    unsafe {
        let mut chain = split(V::load_block(iv.as_ptr()).swap_bytes().enter());
        for block in data.chunks_exact_mut(16) {
            chain = chain_block(keys, chain, V::load_block(block.as_ptr()));
            join(chain)
                .leave()
                .swap_bytes()
                .store_block(block.as_mut_ptr());
        }
    }
}

/// The last block of a CBC encryption of `data`, which is left as it is.
#[inline(always)]
pub(super) unsafe fn cbc_mac<V: Lanes>(keys: &[u32; 32], state: &mut [u8; 16], data: &[u8]) {
    // SAFETY: every pointer covers one block.
    unsafe {
        let mut chain = split(V::load_block(state.as_ptr()).swap_bytes().enter());
        for block in data.chunks_exact(16) {
            chain = chain_block(keys, chain, V::load_block(block.as_ptr()));
        }
        join(chain)
            .leave()
            .swap_bytes()
            .store_block(state.as_mut_ptr());
    }
}

/// Does `work` on a copy with room for a whole batch.
#[inline(always)]
fn padded(rest: &mut [u8], work: impl FnOnce(&mut [u8])) {
    let mut padded = [0; LONGEST_BATCH];
    padded[..rest.len()].copy_from_slice(rest);
    work(&mut padded);
    rest.copy_from_slice(&padded[..rest.len()]);
}

/// The bytes of sixteen blocks, the widest vector's.
const LONGEST_BATCH: usize = 256;

/// Encrypts as many batches of `G` groups as there are and gives the rest.
#[inline(always)]
unsafe fn crypt_batches<'a, V: Lanes, const G: usize>(
    keys: &[u32; 32],
    data: &'a mut [u8],
) -> &'a mut [u8] {
    let mut batches = data.chunks_exact_mut(16 * V::BLOCKS * G);
    for batch in &mut batches {
        // SAFETY: the batch is as long as its groups.
        unsafe { crypt_groups::<V, G>(keys, batch.as_mut_ptr()) }
    }
    batches.into_remainder()
}

/// Adds the key stream to as many batches of `G` groups as there are and gives the rest.
#[inline(always)]
unsafe fn ctr_batches<'a, V: Lanes, const G: usize>(
    keys: &[u32; 32],
    prefix: [V; 3],
    counter: &mut u32,
    data: &'a mut [u8],
) -> &'a mut [u8] {
    let mut batches = data.chunks_exact_mut(16 * V::BLOCKS * G);
    for batch in &mut batches {
        // SAFETY: the batch is as long as its groups.
        unsafe { ctr_groups::<V, G>(keys, prefix, *counter, batch.as_mut_ptr()) }
        *counter = counter.wrapping_add((V::BLOCKS * G) as u32);
    }
    batches.into_remainder()
}

#[inline(always)]
unsafe fn crypt_groups<V: Lanes, const G: usize>(keys: &[u32; 32], data: *mut u8) {
    // SAFETY: `data` covers 16·G·V::BLOCKS bytes.
    unsafe {
        let mut x = [[V::splat(0); 4]; G];
        for (g, x) in x.iter_mut().enumerate() {
            for (i, word) in x.iter_mut().enumerate() {
                *word = V::load(data.add(vector::<V>(g, i))).swap_bytes().enter();
            }
            *x = transpose(*x);
        }
        rounds(keys, &mut x);
        for (g, [a, b, c, d]) in x.into_iter().enumerate() {
            for (i, word) in transpose([d, c, b, a]).into_iter().enumerate() {
                word.leave().swap_bytes().store(data.add(vector::<V>(g, i)));
            }
        }
    }
}

#[inline(always)]
unsafe fn ctr_groups<V: Lanes, const G: usize>(
    keys: &[u32; 32],
    prefix: [V; 3],
    counter: u32,
    data: *mut u8,
) {
    // SAFETY: `data` covers 16·G·V::BLOCKS bytes.
    unsafe {
        let [p0, p1, p2] = prefix;
        let mut x = [[p0, p1, p2, p0]; G];
        for (g, x) in x.iter_mut().enumerate() {
            x[3] = V::count(counter.wrapping_add((g * V::BLOCKS) as u32)).enter();
        }
        rounds(keys, &mut x);
        for (g, [a, b, c, d]) in x.into_iter().enumerate() {
            for (i, word) in transpose([d, c, b, a]).into_iter().enumerate() {
                let at = data.add(vector::<V>(g, i));
                word.leave().swap_bytes().xor(V::load(at)).store(at);
            }
        }
    }
}

/// Where vector `i` of group `g` lies.
#[inline(always)]
fn vector<V: Lanes>(g: usize, i: usize) -> usize {
    (4 * g + i) * 4 * V::BLOCKS
}

/// All 32 rounds. Of the three words under the S-box two are the same in two rounds, so their sum is made once.
#[inline(always)]
unsafe fn rounds<V: Lanes, const G: usize>(keys: &[u32; 32], x: &mut [[V; 4]; G]) {
    // SAFETY: the caller has V's instructions.
    unsafe {
        for k in keys.as_chunks::<4>().0 {
            let k = k.map(|key| V::splat(key));
            let mut shared = x.map(|x| x[2].xor(x[3]));
            for (x, shared) in x.iter_mut().zip(shared) {
                x[0] = x[0].substitute(k[0].xor3(shared, x[1]));
            }
            for (x, shared) in x.iter_mut().zip(shared) {
                x[1] = x[1].substitute(k[1].xor3(shared, x[0]));
            }
            shared = x.map(|x| x[0].xor(x[1]));
            for (x, shared) in x.iter_mut().zip(shared) {
                x[2] = x[2].substitute(k[2].xor3(shared, x[3]));
            }
            for (x, shared) in x.iter_mut().zip(shared) {
                x[3] = x[3].substitute(k[3].xor3(shared, x[2]));
            }
        }
    }
}

/// One CBC step: `chain` and the result are words in the cipher's basis, `block` is as it lies in memory.
#[inline(always)]
unsafe fn chain_block<V: Lanes>(keys: &[u32; 32], chain: [V; 4], block: V) -> [V; 4] {
    // SAFETY: the caller has V's instructions.
    unsafe {
        let plain = split(block.swap_bytes().enter());
        let mut x: [V; 4] = std::array::from_fn(|i| chain[i].xor(plain[i]));
        for k in keys.as_chunks::<4>().0 {
            let k = k.map(|key| V::splat(key));
            // Where only one block is under way, the newest word decides when a round begins.
            x[0] = x[0].substitute_single(k[0].xor(x[1]).xor3(x[2], x[3]));
            x[1] = x[1].substitute_single(k[1].xor(x[2]).xor3(x[3], x[0]));
            x[2] = x[2].substitute_single(k[2].xor(x[3]).xor3(x[0], x[1]));
            x[3] = x[3].substitute_single(k[3].xor(x[0]).xor3(x[1], x[2]));
        }
        x.reverse();
        x
    }
}

/// The words of the lowest block, each in the lowest lane.
#[inline(always)]
unsafe fn split<V: Lanes>(block: V) -> [V; 4] {
    // SAFETY: the caller has V's instructions.
    unsafe {
        let upper = block.rotate_block();
        // Doubling each word puts the second one at the start of the upper half.
        let odd = block.unpack_low_words(block).rotate_block();
        let upper_odd = upper.unpack_low_words(upper).rotate_block();
        [block, odd, upper, upper_odd]
    }
}

/// The inverse of [`split`].
#[inline(always)]
unsafe fn join<V: Lanes>([a, b, c, d]: [V; 4]) -> V {
    // SAFETY: the caller has V's instructions.
    unsafe {
        a.unpack_low_words(b)
            .unpack_low_pairs(c.unpack_low_words(d))
    }
}
