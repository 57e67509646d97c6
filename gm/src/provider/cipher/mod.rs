//! SM4's modes as ciphers of Tongsuo: the entry functions, once for all modes.

use super::ffi::Algorithm;

/// The ciphers, under the names of Tongsuo's own (prov/names.h).
pub(super) static ALGORITHMS: [Algorithm; 1] = [Algorithm::END];
