//! SM2 (GB/T 32918-2016/2017) over the curve sm2p256v1: signatures, encryption, key exchange.
//!
//! Owns keys and arithmetic. No I/O (randomness is passed in, see [`Random`]) and no Tongsuo. What a secret touches runs
//! in constant time and is wiped when dropped; functions named `vartime` are for public values.

mod arith;
mod ciphertext;
mod der;
mod digits;
mod encoding;
mod encrypt;
mod exchange;
mod field;
mod identity;
mod inverse;
mod key;
mod limbs;
mod multiply;
mod point;
mod random;
mod scalar;
mod sign;
mod signature;

pub use ciphertext::{Ciphertext, CiphertextError};
pub use encoding::PointError;
pub use encrypt::{DecryptError, EncryptError, PREMASTER_LEN};
pub use exchange::{Confirmation, ExchangeError, Own, Peer, Role, agree};
pub use identity::{DEFAULT_ID, IdentityTooLong, TLS13_ID};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use random::{Random, RandomError, SystemRandom};
pub use sign::{SignError, VerifyError};
pub use signature::{Signature, SignatureError};

/// Names the code that does the arithmetic on this machine, for `alb --version --verbose`.
pub fn implementation() -> &'static str {
    arith::Backend::detect().name()
}
