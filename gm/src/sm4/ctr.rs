//! SM4-CTR: a key stream added to bytes given in any pieces.

use std::hint::black_box;

use super::key::{Block, Key, xor};

/// Key stream made ahead, in bytes: one vector pass of the widest implementation costs as much as one block.
pub(super) const AHEAD: usize = 256;

/// How much of the counter block counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// The last 32 bits, as in GCM.
    Bits32,
    /// All of it.
    Bits128,
}

/// A position in a key stream.
#[derive(Clone)]
pub struct Stream {
    counter: u128,
    width: Width,
    ahead: Ahead,
}

/// Key stream not yet used.
#[derive(Clone)]
struct Ahead {
    bytes: [u8; AHEAD],
    /// How many of `bytes` are used; `AHEAD`: none is left.
    used: usize,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Not byte by byte as `zeroize` would: this runs once per record.
        self.bytes = [0; AHEAD];
        black_box(&mut self.bytes);
    }
}

impl Stream {
    /// The key stream whose first block is the encryption of `counter`, counted as one 128-bit big-endian number.
    pub fn new(counter: Block) -> Self {
        Self::with_width(u128::from_be_bytes(counter), Width::Bits128)
    }

    pub(super) fn with_width(counter: u128, width: Width) -> Self {
        Self {
            counter,
            width,
            ahead: Ahead {
                bytes: [0; AHEAD],
                used: AHEAD,
            },
        }
    }

    /// Encrypts or decrypts: adds the next bytes of the key stream. `key` must be the same at every call.
    pub fn apply(&mut self, key: &Key, data: &mut [u8]) {
        let (now, data) = data.split_at_mut(self.ready().min(data.len()));
        self.take_ahead(now);
        let (whole, rest) = data.split_at_mut(data.len() - data.len() % AHEAD);
        self.run(key, whole.as_chunks_mut().0);
        if !rest.is_empty() {
            self.refill(key);
            self.take_ahead(rest);
        }
    }

    /// One block, making no key stream ahead; none may be ready.
    pub(super) fn apply_block(&mut self, key: &Key, block: &mut Block) {
        self.run(key, std::slice::from_mut(block));
    }

    /// Bytes of key stream made but not used; after as many the stream is at a vector's boundary.
    pub(super) fn ready(&self) -> usize {
        AHEAD - self.ahead.used
    }

    fn refill(&mut self, key: &Key) {
        let mut ahead = Ahead {
            bytes: [0; AHEAD],
            used: 0,
        };
        self.run(key, ahead.bytes.as_chunks_mut().0);
        self.ahead = ahead;
    }

    /// `data` is not longer than what is ready.
    fn take_ahead(&mut self, data: &mut [u8]) {
        xor(data, &self.ahead.bytes[self.ahead.used..]);
        self.ahead.used += data.len();
    }

    /// Adds the key stream to whole blocks, past the wraps of the low 32 bits.
    fn run(&mut self, key: &Key, mut blocks: &mut [Block]) {
        while !blocks.is_empty() {
            let low = self.counter as u32;
            let prefix = [96, 64, 32].map(|shift| (self.counter >> shift) as u32);
            let before_wrap = (1u64 << 32) - u64::from(low);
            let count = usize::try_from(before_wrap)
                .unwrap_or(usize::MAX)
                .min(blocks.len());
            let (now, later) = blocks.split_at_mut(count);
            key.ctr(prefix, low, now);
            self.advance(count);
            blocks = later;
        }
    }

    fn advance(&mut self, blocks: usize) {
        let next = self.counter.wrapping_add(blocks as u128);
        self.counter = match self.width {
            Width::Bits128 => next,
            Width::Bits32 => self.counter & !0xFFFF_FFFF | next & 0xFFFF_FFFF,
        };
    }
}
