//! GHASH, the authenticator of GCM (NIST SP 800-38D §6.4), without the cipher. Constant-time.
//!
//! Internally every block is the 128-bit number of its bytes read big-endian, and products are those of POLYVAL
//! (RFC 8452 appendix A: `GHASH(H, X) = reverse(POLYVAL(reverse(H)·x, reverse(X)))`), which needs no bit reversal.

mod backend;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use zeroize::Zeroize;

pub use backend::Backend;

/// Blocks multiplied before one reduction where the processor has wide multiplications.
const POWERS: usize = 32;

/// A hash key: the powers of H an implementation needs.
#[derive(Clone)]
pub struct Key {
    /// H³², …, H², H; implementations with shorter batches fill only the end.
    powers: [u128; POWERS],
    backend: Backend,
}

impl Key {
    /// The key for H, with the fastest implementation.
    pub fn new(h: &[u8; 16]) -> Self {
        Self::for_backend(h, Backend::best())
    }

    /// The key for H with the given implementation, or nothing where the processor lacks it.
    pub fn with_backend(h: &[u8; 16], backend: Backend) -> Option<Self> {
        backend
            .is_available()
            .then(|| Self::for_backend(h, backend))
    }

    /// The backend must be available.
    pub(crate) fn for_backend(h: &[u8; 16], backend: Backend) -> Self {
        let mut powers = [0; POWERS];
        powers[POWERS - 1] = times_x(u128::from_be_bytes(*h));
        let mut key = Self { powers, backend };
        powers.zeroize();
        backend.fill_powers(&mut key.powers);
        key
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the powers of H.
        f.debug_struct("Key")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// A running GHASH over bytes given in any pieces.
#[derive(Clone)]
pub struct Ghash {
    state: u128,
    partial: [u8; 16],
    /// Bytes in `partial`, below 16.
    held: usize,
}

impl Ghash {
    /// The hash of nothing.
    pub fn new() -> Self {
        Self {
            state: 0,
            partial: [0; 16],
            held: 0,
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, key: &Key, data: &[u8]) {
        let data = self.complete_partial(key, data);
        let (blocks, rest) = data.split_at(data.len() & !15);
        if !blocks.is_empty() {
            self.state = key.backend.update(&key.powers, self.state, blocks);
        }
        self.partial[self.held..self.held + rest.len()].copy_from_slice(rest);
        self.held += rest.len();
    }

    /// Fills the last block with zeros, as GCM does after the additional data and after the ciphertext.
    pub fn pad(&mut self, key: &Key) {
        if self.held > 0 {
            self.partial[self.held..].fill(0);
            self.state = key.backend.update(&key.powers, self.state, &self.partial);
            self.held = 0;
        }
    }

    /// Adds the block of the two lengths (in bytes) and gives the hash. Both parts must have been padded.
    pub fn finish(&mut self, key: &Key, additional: u64, text: u64) -> [u8; 16] {
        let bits = |bytes: u64| u128::from(bytes.wrapping_mul(8));
        let lengths = (bits(additional) << 64 | bits(text)).to_be_bytes();
        key.backend
            .update(&key.powers, self.state, &lengths)
            .to_be_bytes()
    }

    fn complete_partial<'a>(&mut self, key: &Key, data: &'a [u8]) -> &'a [u8] {
        if self.held == 0 {
            return data;
        }
        let (now, rest) = data.split_at(data.len().min(16 - self.held));
        self.partial[self.held..self.held + now.len()].copy_from_slice(now);
        self.held += now.len();
        if self.held == 16 {
            self.state = key.backend.update(&key.powers, self.state, &self.partial);
            self.held = 0;
        }
        rest
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.powers.zeroize();
    }
}

impl Drop for Ghash {
    fn drop(&mut self) {
        self.state.zeroize();
    }
}

impl Default for Ghash {
    fn default() -> Self {
        Self::new()
    }
}

/// x·a modulo x¹²⁸ + x¹²⁷ + x¹²⁶ + x¹²¹ + 1.
fn times_x(a: u128) -> u128 {
    let carry = 0u128.wrapping_sub(a >> 127);
    (a << 1) ^ (carry & (0xC2 << 120 | 1))
}
