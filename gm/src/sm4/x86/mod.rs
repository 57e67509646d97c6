//! SM4 on x86-64 vector units. Constant-time: no load address and no branch depends on a key or on data.
//!
//! This module and its children are the only place of the cipher with `unsafe`: vector intrinsics need it. What makes
//! each call sound is that [`super::Backend`] is only ever one the processor has.

#![allow(unsafe_code)]

mod aesni;
mod avx2;
mod avx512;
mod gfni;
mod kernels;
mod lanes;

use aesni::AesNi;
use avx2::Half;
use avx512::Wide;
use gfni::Gfni;

/// Defines the entry functions of one implementation: the kernels, compiled with its instructions.
macro_rules! implementation {
    ($name:ident, $features:literal, wide: $wide:ty, single: $single:ty) => {
        pub(super) mod $name {
            use super::*;

            /// Brings plain round keys into this implementation's basis.
            #[target_feature(enable = $features)]
            pub(in crate::sm4) fn prepare(keys: &mut [u32; 32]) {
                // SAFETY: this function has the instructions of the type.
                unsafe { kernels::prepare::<$wide>(keys) }
            }

            /// See [`kernels::crypt`].
            #[target_feature(enable = $features)]
            pub(in crate::sm4) fn crypt(keys: &[u32; 32], data: &mut [u8]) {
                // SAFETY: this function has the instructions of the type.
                unsafe { kernels::crypt::<$wide>(keys, data) }
            }

            /// See [`kernels::ctr`].
            #[target_feature(enable = $features)]
            pub(in crate::sm4) fn ctr(
                keys: &[u32; 32],
                prefix: [u32; 3],
                counter: u32,
                data: &mut [u8],
            ) {
                // SAFETY: this function has the instructions of the type.
                unsafe { kernels::ctr::<$wide>(keys, prefix, counter, data) }
            }

            /// See [`kernels::cbc_encrypt`].
            #[target_feature(enable = $features)]
            pub(in crate::sm4) fn cbc_encrypt(keys: &[u32; 32], iv: &[u8; 16], data: &mut [u8]) {
                // SAFETY: this function has the instructions of the type.
                unsafe { kernels::cbc_encrypt::<$single>(keys, iv, data) }
            }

            /// See [`kernels::cbc_mac`].
            #[target_feature(enable = $features)]
            pub(in crate::sm4) fn cbc_mac(keys: &[u32; 32], state: &mut [u8; 16], data: &[u8]) {
                // SAFETY: this function has the instructions of the type.
                unsafe { kernels::cbc_mac::<$single>(keys, state, data) }
            }
        }
    };
}

implementation!(gfni512, "avx512f,avx512bw,avx512vl,gfni,avx2", wide: Wide, single: Half<Gfni>);
implementation!(gfni256, "gfni,avx2", wide: Half<Gfni>, single: Half<Gfni>);
implementation!(aes256, "aes,avx2", wide: Half<AesNi>, single: Half<AesNi>);
