//! SM4-CBC over whole blocks; padding is the caller's (for TLCP records see [`super::record`]).

use super::key::{Block, Key, xor};

/// Encrypts in place and leaves the next chaining value in `iv`.
pub fn encrypt(key: &Key, iv: &mut Block, blocks: &mut [Block]) {
    key.cbc_encrypt(iv, blocks);
    if let Some(last) = blocks.last() {
        *iv = *last;
    }
}

/// Decrypts in place and leaves the next chaining value in `iv`.
pub fn decrypt(key: &Key, iv: &mut Block, blocks: &mut [Block]) {
    // The ciphertext is needed after its place is overwritten; a batch of it stays in the first-level cache.
    let mut saved = [[0; 16]; BATCH];
    for batch in blocks.chunks_mut(BATCH) {
        let saved = &mut saved[..batch.len()];
        saved.copy_from_slice(batch);
        key.decrypt_blocks(batch);
        xor(&mut batch[0], iv);
        let (last, before) = saved.split_last().unwrap_or((iv, &[]));
        xor(batch[1..].as_flattened_mut(), before.as_flattened());
        *iv = *last;
    }
}

/// Blocks decrypted together: several vectors of the widest implementation.
const BATCH: usize = 64;
