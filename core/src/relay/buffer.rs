//! Buffers of the relay: 16 KiB, lent by the worker while bytes wait, and given back when they have left.

use std::cell::RefCell;

use tokio::io::ReadBuf;

/// Bytes of one buffer: the plaintext of a whole record (GB/T 38636 §6.3.3.1, RFC 8446 §5.1).
pub(super) const SIZE: usize = 16 * 1024;

/// Buffers that a worker keeps for the next who needs one.
const KEPT: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that have been read and not yet been written.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// An empty buffer.
    pub(super) fn lend() -> Self {
        let free = FREE.with_borrow_mut(Vec::pop);
        Buffer {
            bytes: free.unwrap_or_else(|| vec![0; SIZE].into()),
            start: 0,
            end: 0,
        }
    }

    /// Bytes that somebody else has read.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        Buffer {
            start: 0,
            end: bytes.len(),
            bytes: bytes.into(),
        }
    }

    /// What waits.
    pub(super) fn waiting(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// `count` bytes have left.
    pub(super) fn advance(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// Room for a read of at most so many bytes, when nothing waits.
    pub(super) fn room(&mut self, most: usize) -> ReadBuf<'_> {
        let most = most.min(self.bytes.len());
        ReadBuf::new(&mut self.bytes[..most])
    }

    /// `count` bytes have been read into the room.
    pub(super) fn fill(&mut self, count: usize) {
        (self.start, self.end) = (0, count.min(self.bytes.len()));
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() != SIZE {
            return;
        }
        let bytes = std::mem::take(&mut self.bytes);
        // At the end of the thread there is nobody left to keep it for.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(bytes);
            }
        });
    }
}
