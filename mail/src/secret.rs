//! Bytes that nobody but their receiver may see: wiped when dropped, never printed, compared in constant time.

use std::fmt;
use std::ops::{Deref, DerefMut};

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A password, a token, or an answer to a challenge.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; they are wiped when this is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Secret(Zeroizing::new(bytes))
    }

    /// Copies the bytes. The caller's own remain the caller's to wipe.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Secret::new(bytes.to_vec())
    }

    /// The bytes themselves, for whoever must send or check them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these are the same bytes, in a time that tells nothing but their number.
    pub fn is(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

/// Bytes that are being written, into room in which there was nothing else: what has been written is wiped in the end, the
/// rest of the room needs not be. It must not grow beyond its room, which would leave a copy behind.
pub struct Draft(Vec<u8>);

impl Draft {
    /// With room for so many bytes.
    pub fn with_room(bytes: usize) -> Self {
        Draft(Vec::with_capacity(bytes))
    }
}

impl Deref for Draft {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Draft {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Secret::new(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret::copy_of(b"hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_secret_equals_its_bytes_only() {
        let secret = Secret::copy_of(b"hunter2");
        assert!(secret.is(b"hunter2"));
        assert!(!secret.is(b"hunter3") && !secret.is(b"hunter") && !secret.is(b""));
    }
}
