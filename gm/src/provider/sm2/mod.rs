//! SM2 as Tongsuo's algorithms: keys, signatures, encryption, key exchange.

mod asym_cipher;
mod exchange;
mod generate;
mod key;
mod keymgmt;
mod signature;
mod verified;

use super::ffi::Algorithm;

/// The names Tongsuo's own SM2 has.
const NAMES: &std::ffi::CStr = c"SM2:1.2.156.10197.1.301";

pub(super) static KEY_MANAGEMENT: [Algorithm; 2] =
    [Algorithm::new(NAMES, keymgmt::FUNCTIONS), Algorithm::END];

pub(super) static SIGNATURES: [Algorithm; 2] =
    [Algorithm::new(NAMES, signature::FUNCTIONS), Algorithm::END];

pub(super) static ASYMMETRIC_CIPHERS: [Algorithm; 2] = [
    Algorithm::new(NAMES, asym_cipher::FUNCTIONS),
    Algorithm::END,
];

pub(super) static KEY_EXCHANGES: [Algorithm; 2] = [
    Algorithm::new(c"SM2DH", exchange::FUNCTIONS),
    Algorithm::END,
];
