//! An SM4 key, expanded for one implementation.

use super::backend::Backend;
use super::schedule::RoundKeys;

/// Bytes of a block.
pub const BLOCK: usize = 16;

/// A block.
pub type Block = [u8; BLOCK];

/// An SM4 key. Zeroised when dropped.
#[derive(Clone)]
pub struct Key {
    encrypt: RoundKeys,
    decrypt: RoundKeys,
    backend: Backend,
}

impl Key {
    /// Expands a key for the fastest implementation of this processor.
    pub fn new(key: &[u8; 16]) -> Self {
        Self::build(key, Backend::best())
    }

    /// Expands a key for the given implementation, or gives nothing where the processor lacks it.
    pub fn with_backend(key: &[u8; 16], backend: Backend) -> Option<Self> {
        backend.is_available().then(|| Self::build(key, backend))
    }

    /// The implementation in use.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Encrypts every block on its own (ECB).
    pub fn encrypt_blocks(&self, blocks: &mut [Block]) {
        self.backend.crypt(&self.encrypt, blocks.as_flattened_mut());
    }

    /// Decrypts every block on its own (ECB).
    pub fn decrypt_blocks(&self, blocks: &mut [Block]) {
        self.backend.crypt(&self.decrypt, blocks.as_flattened_mut());
    }

    /// Adds the key stream of `prefix ‖ counter`, counted modulo 2³², to whole blocks.
    pub(super) fn ctr(&self, prefix: [u32; 3], counter: u32, blocks: &mut [Block]) {
        self.backend
            .ctr(&self.encrypt, prefix, counter, blocks.as_flattened_mut());
    }

    pub(super) fn cbc_encrypt(&self, iv: &Block, blocks: &mut [Block]) {
        self.backend.cbc_encrypt(&self.encrypt, iv, blocks);
    }

    pub(super) fn cbc_mac(&self, state: &mut Block, blocks: &[Block]) {
        self.backend.cbc_mac(&self.encrypt, state, blocks);
    }

    fn build(key: &[u8; 16], backend: Backend) -> Self {
        let mut encrypt = RoundKeys::expand(key);
        backend.prepare(&mut encrypt);
        let decrypt = encrypt.reversed();
        Self {
            encrypt,
            decrypt,
            backend,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the round keys.
        f.debug_struct("Key")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

/// `data ⊕= mask`, as far as both reach.
pub(super) fn xor(data: &mut [u8], mask: &[u8]) {
    for (byte, mask) in data.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}
