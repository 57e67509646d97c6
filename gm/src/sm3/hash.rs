//! The streaming hash: buffering and padding around the compression function.

use zeroize::Zeroize;

use super::compress::{INITIAL, State, compress};
use super::{BLOCK_LEN, DIGEST_LEN};

/// An SM3 computation in progress (GB/T 32905-2016). Cloning it forks the stream; dropping it wipes it, since
/// what it absorbed may be a secret.
#[derive(Clone)]
pub struct Sm3 {
    state: State,
    /// Bytes absorbed so far, modulo 2^64 (the standard limits messages to 2^64 − 1 bits).
    length: u64,
    buffer: [u8; BLOCK_LEN],
}

impl Sm3 {
    /// Starts a hash of an empty message.
    pub const fn new() -> Self {
        Self {
            state: INITIAL,
            length: 0,
            buffer: [0; BLOCK_LEN],
        }
    }

    /// The digest of one message in one call.
    pub fn digest(message: &[u8]) -> [u8; DIGEST_LEN] {
        let mut hash = Self::new();
        hash.update(message);
        hash.finish()
    }

    /// Appends `data` to the message.
    pub fn update(&mut self, mut data: &[u8]) {
        let used = self.buffered();
        self.length = self.length.wrapping_add(data.len() as u64);
        if used > 0 {
            let take = data.len().min(BLOCK_LEN - used);
            self.buffer[used..used + take].copy_from_slice(&data[..take]);
            data = &data[take..];
            if used + take < BLOCK_LEN {
                return;
            }
            compress(&mut self.state, &self.buffer);
        }
        let (blocks, rest) = data.split_at(data.len() - data.len() % BLOCK_LEN);
        if !blocks.is_empty() {
            compress(&mut self.state, blocks);
        }
        self.buffer[..rest.len()].copy_from_slice(rest);
    }

    /// Pads (GB/T 32905-2016, 5.2) and gives the digest.
    pub fn finish(mut self) -> [u8; DIGEST_LEN] {
        let used = self.buffered();
        let bits = self.length.wrapping_mul(8);
        self.buffer[used] = 0x80;
        self.buffer[used + 1..].fill(0);
        if used + 1 > BLOCK_LEN - 8 {
            compress(&mut self.state, &self.buffer);
            self.buffer.fill(0);
        }
        self.buffer[BLOCK_LEN - 8..].copy_from_slice(&bits.to_be_bytes());
        compress(&mut self.state, &self.buffer);
        self.output()
    }

    fn buffered(&self) -> usize {
        (self.length % BLOCK_LEN as u64) as usize
    }

    fn output(&self) -> [u8; DIGEST_LEN] {
        let mut digest = [0; DIGEST_LEN];
        for (bytes, word) in digest.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        digest
    }
}

impl Default for Sm3 {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sm3 {
    fn drop(&mut self) {
        self.state.zeroize();
        self.buffer.zeroize();
    }
}

impl std::fmt::Debug for Sm3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sm3")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
