//! The SM4 key schedule (GB/T 32907 §7.3), without a table indexed by the key.

use zeroize::Zeroize;

use super::portable;

/// The 32 round keys in the order of use, in the representation one implementation works in.
#[derive(Clone)]
pub(super) struct RoundKeys([u32; 32]);

impl RoundKeys {
    /// The round keys for encryption.
    pub(super) fn expand(key: &[u8; 16]) -> Self {
        let mut k: [u32; 4] = std::array::from_fn(|i| word(key, i) ^ SYSTEM[i]);
        let mut keys = [0; 32];
        for (i, out) in keys.iter_mut().enumerate() {
            let mixed = portable::substitute(k[1] ^ k[2] ^ k[3] ^ constant(i));
            // L'(B) = B ⊕ (B⋘13) ⊕ (B⋘23)
            let next = k[0] ^ mixed ^ mixed.rotate_left(13) ^ mixed.rotate_left(23);
            *out = next;
            k = [k[1], k[2], k[3], next];
        }
        k.zeroize();
        let expanded = Self(keys);
        keys.zeroize();
        expanded
    }

    /// The round keys for decryption.
    pub(super) fn reversed(&self) -> Self {
        let mut out = self.clone();
        out.0.reverse();
        out
    }

    pub(super) fn as_words(&self) -> &[u32; 32] {
        &self.0
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn as_words_mut(&mut self) -> &mut [u32; 32] {
        &mut self.0
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// FK, the system parameter.
const SYSTEM: [u32; 4] = [0xA3B1_BAC6, 0x56AA_3350, 0x677D_9197, 0xB270_22DC];

/// CKᵢ: its bytes are (4i + j)·7 modulo 256.
fn constant(i: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|j| ((4 * i + j) * 7) as u8))
}

fn word(key: &[u8; 16], i: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|j| key[4 * i + j]))
}
