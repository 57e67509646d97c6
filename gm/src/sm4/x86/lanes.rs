//! What a vector unit must offer for SM4: 32-bit lanes, one block each, in a basis where one round is short.
//!
//! SM4's S-box is `G·(In·x + c)⁻¹ + g` with the inverse in the AES field, which GFNI and AES-NI compute. Every word is
//! kept multiplied by `In` for the whole cipher: the round needs no matrix before the inverse, and the matrices after
//! it absorb `In` again. L is absorbed too: with B = S(t), L(B) = a ⊕ (b⋘8) ⊕ (b⋘16) ⊕ (c⋘24) where a, b and c
//! are byte-wise linear in B (a = B ⊕ B≪2, b = each byte rotated by 2, c = B ⊕ B≫6), so that only whole bytes move.
//! The tests of the module compare every implementation with the standard.

/// A vector of 32-bit words of as many blocks.
///
/// Every method is `unsafe` because it needs the instructions of its implementation; the entry functions of
/// [`super::kernels`] enable them, and [`crate::sm4::Backend`] has checked that the processor has them.
pub(super) trait Lanes: Copy {
    /// Blocks per vector of words; four vectors hold that many blocks.
    const BLOCKS: usize;

    /// Reads a vector's length of bytes.
    unsafe fn load(from: *const u8) -> Self;
    /// Writes a vector's length of bytes.
    unsafe fn store(self, to: *mut u8);
    /// One block in the lowest lanes, the others zero.
    unsafe fn load_block(from: *const u8) -> Self;
    /// The lowest block.
    unsafe fn store_block(self, to: *mut u8);

    /// The same word in every lane.
    unsafe fn splat(word: u32) -> Self;
    /// `start`, counted up so that [`transpose`] puts consecutive counters into consecutive blocks.
    unsafe fn count(start: u32) -> Self;

    unsafe fn xor(self, other: Self) -> Self;
    /// Big-endian words to native ones and back.
    unsafe fn swap_bytes(self) -> Self;
    /// `In·x` for every byte.
    unsafe fn enter(self) -> Self;
    /// The inverse of [`Lanes::enter`].
    unsafe fn leave(self) -> Self;
    /// The sum of three words; the one that is known last comes last.
    unsafe fn xor3(self, other: Self, last: Self) -> Self;
    /// `self ⊕ L(S(t))`, all in the basis of [`Lanes::enter`], and `c` added to `t`.
    unsafe fn substitute(self, t: Self) -> Self;
    /// [`Lanes::substitute`] for the lowest lane only, where a shorter latency is possible.
    #[inline(always)]
    unsafe fn substitute_single(self, t: Self) -> Self {
        // SAFETY: the same requirements.
        unsafe { self.substitute(t) }
    }

    unsafe fn unpack_low_words(self, other: Self) -> Self;
    unsafe fn unpack_high_words(self, other: Self) -> Self;
    unsafe fn unpack_low_pairs(self, other: Self) -> Self;
    unsafe fn unpack_high_pairs(self, other: Self) -> Self;
    /// In every block of four words, the upper half down.
    unsafe fn rotate_block(self) -> Self;
}

/// Turns four vectors of blocks into four vectors of words, and back.
#[inline(always)]
pub(super) unsafe fn transpose<V: Lanes>([a, b, c, d]: [V; 4]) -> [V; 4] {
    // SAFETY: the caller has V's instructions.
    unsafe {
        let ab_low = a.unpack_low_words(b);
        let ab_high = a.unpack_high_words(b);
        let cd_low = c.unpack_low_words(d);
        let cd_high = c.unpack_high_words(d);
        [
            ab_low.unpack_low_pairs(cd_low),
            ab_low.unpack_high_pairs(cd_low),
            ab_high.unpack_low_pairs(cd_high),
            ab_high.unpack_high_pairs(cd_high),
        ]
    }
}

/// `c`: the constant added to every byte of a round key after `In`.
pub(super) const KEY_CONSTANT: u32 = 0x3E3E_3E3E;
