//! Signatures seen to hold: in mutual TLCP the same few certificates come again and again, and each costs a verification.
//!
//! Positive answers only, so nothing becomes valid by it: what is remembered is that this key signed this digest with
//! exactly this signature, which is true for ever. Bounded: a place is overwritten by whatever falls on it next.

use std::sync::{Mutex, PoisonError};

use crate::sm2::{PublicKey, Signature};

/// How many are remembered; 200 bytes each.
const PLACES: usize = 1024;

static SEEN: [Mutex<Option<Seen>>; PLACES] = [const { Mutex::new(None) }; PLACES];

/// One that held.
#[derive(PartialEq, Eq)]
struct Seen {
    key: PublicKey,
    digest: [u8; 32],
    signature: Signature,
}

/// Whether `signature` of `digest` by `key` holds, from memory if it did before.
pub(super) fn verify(key: &PublicKey, digest: &[u8; 32], signature: &Signature) -> bool {
    let candidate = Seen {
        key: *key,
        digest: *digest,
        signature: *signature,
    };
    let place = &SEEN[place(digest, signature)];
    let known = |seen: &Option<Seen>| seen.as_ref() == Some(&candidate);
    if known(&place.lock().unwrap_or_else(PoisonError::into_inner)) {
        return true;
    }
    let holds = key.verify_digest(digest, signature).is_ok();
    if holds {
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(candidate);
    }
    holds
}

/// Both are as good as random. Who chooses them to fall on one place only makes a verification happen.
fn place(digest: &[u8; 32], signature: &Signature) -> usize {
    let word = |bytes: &[u8; 32]| usize::from(bytes[30]) << 8 | usize::from(bytes[31]);
    (word(digest) ^ word(&signature.r)) % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sm2::{PrivateKey, SystemRandom};

    #[test]
    fn what_held_once_holds_from_memory_and_nothing_else_does() {
        let key = PrivateKey::from_bytes(&[9; 32]).expect("key");
        let signature = key
            .sign_digest(&[5; 32], &mut SystemRandom)
            .expect("signature");
        for _ in 0..2 {
            assert!(verify(key.public(), &[5; 32], &signature));
        }
        let place = &SEEN[place(&[5; 32], &signature)];
        assert!(place.lock().expect("lock").is_some());
        // The same place, since only bytes that do not choose it differ.
        let mut digest = [5; 32];
        digest[0] = 6;
        assert!(!verify(key.public(), &digest, &signature));
        let other = PrivateKey::from_bytes(&[8; 32]).expect("key");
        assert!(!verify(other.public(), &[5; 32], &signature));
        let changed = Signature {
            s: [3; 32],
            ..signature
        };
        assert!(!verify(key.public(), &[5; 32], &changed));
    }
}
