//! Bytes without end, to be sent at one place and recognised at another.

/// Bytes that follow from a seed. Their period is a prime, so that a piece in a wrong place is noticed.
#[derive(Clone, Debug)]
pub struct Pattern {
    block: Vec<u8>,
    at: usize,
}

const PERIOD: usize = 1_000_003;

impl Pattern {
    /// The bytes of a seed.
    pub fn new(seed: u8) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::from(seed) << 17;
        let block = std::iter::repeat_with(|| {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        Self {
            block: block.take(PERIOD).collect(),
            at: 0,
        }
    }

    /// The next bytes, at least one and at most so many.
    pub fn next(&mut self, most: usize) -> &[u8] {
        let start = self.at;
        let end = self.block.len().min(start + most);
        self.at = end % self.block.len();
        &self.block[start..end]
    }

    /// Whether these are the next bytes.
    pub fn matches(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let next = self.next(bytes.len());
            let (head, rest) = bytes.split_at(next.len());
            if head != next {
                return false;
            }
            bytes = rest;
        }
        true
    }
}
