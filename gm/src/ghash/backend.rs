//! Which implementation of GHASH runs.

use super::{POWERS, portable};

/// An implementation of GHASH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// VPCLMULQDQ on 512 bits (AVX-512).
    VpclmulAvx512,
    /// VPCLMULQDQ on 256 bits (AVX2).
    VpclmulAvx2,
    /// PCLMULQDQ.
    Pclmul,
    /// Integer multiplications of bits set apart; constant-time everywhere such multiplications are.
    Portable,
}

/// Chooses the entry function. Sound because a key with a backend exists only where `is_available` says so.
macro_rules! dispatch {
    ($backend:expr, $function:ident($($argument:expr),*), $portable:expr) => {
        match $backend {
            // SAFETY: the processor has the instructions of this backend.
            #[cfg(target_arch = "x86_64")]
            Backend::VpclmulAvx512 => unsafe { super::x86::wide512::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Backend::VpclmulAvx2 => unsafe { super::x86::wide256::$function($($argument),*) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Backend::Pclmul => unsafe { super::x86::narrow::$function($($argument),*) },
            _ => $portable,
        }
    };
}

impl Backend {
    /// Every implementation, fastest first.
    pub const ALL: [Self; 4] = [
        Self::VpclmulAvx512,
        Self::VpclmulAvx2,
        Self::Pclmul,
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
            Self::VpclmulAvx512 => {
                Self::VpclmulAvx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::VpclmulAvx2 => {
                Self::Pclmul.is_available() && is_x86_feature_detected!("vpclmulqdq")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Pclmul => {
                is_x86_feature_detected!("pclmulqdq") && is_x86_feature_detected!("avx2")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::VpclmulAvx512 | Self::VpclmulAvx2 | Self::Pclmul => false,
            Self::Portable => true,
        }
    }

    /// A name for people, as `alb --version --verbose` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::VpclmulAvx512 => "VPCLMULQDQ, AVX-512",
            Self::VpclmulAvx2 => "VPCLMULQDQ, AVX2",
            Self::Pclmul => "PCLMULQDQ",
            Self::Portable => "portable",
        }
    }

    /// Computes the powers of H this implementation uses from the last entry, H.
    #[allow(unsafe_code)]
    pub(super) fn fill_powers(self, powers: &mut [u128; POWERS]) {
        dispatch!(self, fill_powers(powers), _ = powers);
    }

    /// The state after whole blocks.
    #[allow(unsafe_code)]
    pub(super) fn update(self, powers: &[u128; POWERS], state: u128, blocks: &[u8]) -> u128 {
        dispatch!(
            self,
            update(powers, state, blocks),
            portable::update(powers[POWERS - 1], state, blocks)
        )
    }
}
