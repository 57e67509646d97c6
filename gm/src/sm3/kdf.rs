//! Key derivation from SM3: the function of SM2 (ANSI X9.63) and PBKDF2 (RFC 8018).

use super::{DIGEST_LEN, HmacSm3, Sm3};

/// Fills `out` with the key derivation function of SM2 (GB/T 32918.4-2016, 5.4.3): SM3(`prefix` ‖ counter), counter from 1.
///
/// `prefix` is a hash that has absorbed the shared secret Z. Lengths up to 32·(2^32 − 1) bytes are meaningful.
pub fn x963_kdf(prefix: &Sm3, out: &mut [u8]) {
    for (chunk, block) in out.chunks_mut(DIGEST_LEN).zip(x963_blocks(prefix)) {
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

/// The same function as a stream of blocks, for who adds it to something. The blocks are secret.
pub(crate) fn x963_blocks(prefix: &Sm3) -> impl Iterator<Item = [u8; DIGEST_LEN]> {
    (1u32..).map(|counter| {
        let mut hash = prefix.clone();
        hash.update(&counter.to_be_bytes());
        hash.finish()
    })
}

/// Fills `out` with PBKDF2-HMAC-SM3 (RFC 8018, 5.2) of a password. `iterations` below one is taken as one.
pub fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
    let keyed = HmacSm3::new(password);
    for (index, chunk) in (1u32..).zip(out.chunks_mut(DIGEST_LEN)) {
        let mut first = keyed.clone();
        first.update(salt);
        first.update(&index.to_be_bytes());
        let mut u = first.finish();
        let mut t = u;
        for _ in 1..iterations {
            let mut next = keyed.clone();
            next.update(&u);
            u = next.finish();
            t.iter_mut().zip(u).for_each(|(t, u)| *t ^= u);
        }
        chunk.copy_from_slice(&t[..chunk.len()]);
    }
}
