//! Which implementation of SM4 runs.

#![allow(unsafe_code)]

use super::key::{Block, xor};
use super::portable;
use super::schedule::RoundKeys;
#[cfg(target_arch = "x86_64")]
use super::x86::{aes256, gfni256, gfni512};
use crate::ghash;

/// An implementation of SM4. Every one is constant-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// GFNI on 512 bits (AVX-512).
    GfniAvx512,
    /// GFNI on 256 bits (AVX2).
    GfniAvx2,
    /// AES-NI and AVX2.
    AesNiAvx2,
    /// Bit-sliced, in plain Rust.
    Portable,
}

impl Backend {
    /// Every implementation, fastest first.
    pub const ALL: [Self; 4] = [
        Self::GfniAvx512,
        Self::GfniAvx2,
        Self::AesNiAvx2,
        Self::Portable,
    ];

    /// The fastest implementation of this processor.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self::Portable)
    }

    /// The implementations of this processor, fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(|backend| backend.is_available())
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::GfniAvx512 => {
                Self::GfniAvx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::GfniAvx2 => is_x86_feature_detected!("gfni") && is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Self::AesNiAvx2 => is_x86_feature_detected!("aes") && is_x86_feature_detected!("avx2"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::GfniAvx512 | Self::GfniAvx2 | Self::AesNiAvx2 => false,
            Self::Portable => true,
        }
    }

    /// A name for people, as `alb --version --verbose` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GfniAvx512 => "GFNI, AVX-512",
            Self::GfniAvx2 => "GFNI, AVX2",
            Self::AesNiAvx2 => "AES-NI, AVX2",
            Self::Portable => "portable",
        }
    }

    /// The GHASH of the same class of processor, so that forcing one forces both.
    pub(super) fn ghash(self) -> ghash::Backend {
        let wanted = match self {
            Self::GfniAvx512 => ghash::Backend::VpclmulAvx512,
            Self::GfniAvx2 | Self::AesNiAvx2 => ghash::Backend::VpclmulAvx2,
            Self::Portable => ghash::Backend::Portable,
        };
        if wanted.is_available() {
            wanted
        } else {
            ghash::Backend::best()
        }
    }
}

/// Chooses the entry function. Sound because a `Key` holds a backend only after `is_available` (see `Key::build`).
macro_rules! dispatch {
    ($backend:expr, $function:ident($($argument:expr),*), $portable:expr) => {
        match $backend {
            // SAFETY: the processor has the instructions of this backend.
            #[cfg(target_arch = "x86_64")]
            Backend::GfniAvx512 => unsafe { gfni512::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Backend::GfniAvx2 => unsafe { gfni256::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Backend::AesNiAvx2 => unsafe { aes256::$function($($argument),*) },
            _ => $portable,
        }
    };
}

impl Backend {
    /// Brings plain round keys into this implementation's representation.
    pub(super) fn prepare(self, keys: &mut RoundKeys) {
        dispatch!(self, prepare(keys.as_words_mut()), _ = keys);
    }

    /// Every block on its own, in place; `data` is whole blocks.
    pub(super) fn crypt(self, keys: &RoundKeys, data: &mut [u8]) {
        dispatch!(
            self,
            crypt(keys.as_words(), data),
            portable::crypt(keys, data)
        );
    }

    /// Adds the key stream of `prefix ‖ counter`, counted modulo 2³²; `data` is whole blocks.
    pub(super) fn ctr(self, keys: &RoundKeys, prefix: [u32; 3], counter: u32, data: &mut [u8]) {
        dispatch!(
            self,
            ctr(keys.as_words(), prefix, counter, data),
            portable::ctr(keys, prefix, counter, data)
        );
    }

    /// CBC encryption in place.
    pub(super) fn cbc_encrypt(self, keys: &RoundKeys, iv: &Block, blocks: &mut [Block]) {
        dispatch!(
            self,
            cbc_encrypt(keys.as_words(), iv, blocks.as_flattened_mut()),
            cbc_encrypt_portable(keys, iv, blocks)
        );
    }

    /// The last block of a CBC encryption with the chaining value `state`.
    pub(super) fn cbc_mac(self, keys: &RoundKeys, state: &mut Block, blocks: &[Block]) {
        dispatch!(
            self,
            cbc_mac(keys.as_words(), state, blocks.as_flattened()),
            for block in blocks {
                xor(state, block);
                portable::crypt(keys, state);
            }
        );
    }
}

fn cbc_encrypt_portable(keys: &RoundKeys, iv: &Block, blocks: &mut [Block]) {
    let mut chain = *iv;
    for block in blocks {
        xor(block, &chain);
        portable::crypt(keys, block);
        chain = *block;
    }
}
