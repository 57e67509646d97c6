//! HMAC (RFC 2104) over SM3.

use zeroize::Zeroize;

use super::{BLOCK_LEN, DIGEST_LEN, Sm3};

/// An HMAC-SM3 computation. Both padded keys are absorbed once at the start, so a clone of a fresh one is the cheap way
/// to authenticate many messages under one key.
#[derive(Clone, Debug)]
pub struct HmacSm3 {
    inner: Sm3,
    outer: Sm3,
}

impl HmacSm3 {
    /// Starts a computation under `key`, of any length: one longer than a block is hashed first (RFC 2104, 2).
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0u8; BLOCK_LEN];
        if key.len() > BLOCK_LEN {
            block[..DIGEST_LEN].copy_from_slice(&Sm3::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let (mut inner, mut outer) = (Sm3::new(), Sm3::new());
        block.iter_mut().for_each(|byte| *byte ^= 0x36);
        inner.update(&block);
        block.iter_mut().for_each(|byte| *byte ^= 0x36 ^ 0x5c);
        outer.update(&block);
        block.zeroize();
        Self { inner, outer }
    }

    /// The authentication code of one message in one call.
    pub fn mac(key: &[u8], message: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hmac = Self::new(key);
        hmac.update(message);
        hmac.finish()
    }

    /// Appends `data` to the message.
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// Gives the authentication code. Compare it in constant time.
    pub fn finish(self) -> [u8; DIGEST_LEN] {
        let Self { inner, mut outer } = self;
        outer.update(&inner.finish());
        outer.finish()
    }
}
