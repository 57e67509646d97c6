//! The compression function of SM3 (GB/T 32905-2016, 5.3).
//!
//! One stream is bound by the latency of its 64 rounds, so the work here is to keep everything else (message expansion,
//! rotations) off that chain: rounds are unrolled with renamed variables, and the message words are made as they are used.

use super::BLOCK_LEN;

/// The eight chaining words.
pub(super) type State = [u32; 8];

/// The initial value of the chaining words (GB/T 32905-2016, 4.1).
pub(super) const INITIAL: State = [
    0x7380_166f,
    0x4914_b2b9,
    0x1724_42d7,
    0xda8a_0600,
    0xa96f_30bc,
    0x1631_38aa,
    0xe38d_ee4d,
    0xb0fb_0e4e,
];

/// Absorbs whole blocks; `blocks` is a multiple of [`BLOCK_LEN`] long.
pub(super) fn compress(state: &mut State, blocks: &[u8]) {
    debug_assert_eq!(blocks.len() % BLOCK_LEN, 0);
    #[cfg(target_arch = "x86_64")]
    if bmi::available() {
        return bmi::compress(state, blocks);
    }
    compress_blocks(state, blocks);
}

/// Names the code [`compress`] runs on this machine.
pub(super) fn implementation() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if bmi::available() {
        return "x86-64 BMI2";
    }
    "portable"
}

#[cfg(target_arch = "x86_64")]
#[expect(
    unsafe_code,
    reason = "a function compiled for BMI may only be called where BMI was detected"
)]
mod bmi {
    //! The same code compiled for BMI1 and BMI2: `rorx` and `andn` take a copy off each round.

    use super::State;

    pub(super) fn available() -> bool {
        is_x86_feature_detected!("bmi2") && is_x86_feature_detected!("bmi1")
    }

    pub(super) fn compress(state: &mut State, blocks: &[u8]) {
        // SAFETY: the only caller asks `available` first.
        unsafe { compress_blocks(state, blocks) }
    }

    #[target_feature(enable = "bmi1,bmi2")]
    fn compress_blocks(state: &mut State, blocks: &[u8]) {
        super::compress_blocks(state, blocks);
    }
}

#[inline(always)]
fn compress_blocks(state: &mut State, blocks: &[u8]) {
    for block in blocks.chunks_exact(BLOCK_LEN) {
        compress_block(state, block);
    }
}

/// `T_j <<< j`, the constant of round `j` as it is used (GB/T 32905-2016, 4.2).
const fn round_constants() -> [u32; 64] {
    let mut constants = [0; 64];
    let mut j = 0;
    while j < 64 {
        let t: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
        constants[j] = t.rotate_left(j as u32 % 32);
        j += 1;
    }
    constants
}

const K: [u32; 64] = round_constants();

#[inline(always)]
fn p0(x: u32) -> u32 {
    x ^ x.rotate_left(9) ^ x.rotate_left(17)
}

#[inline(always)]
fn p1(x: u32) -> u32 {
    x ^ x.rotate_left(15) ^ x.rotate_left(23)
}

/// Makes word `j + 4` of the message, the newest one round `j` needs, in place of word `j − 12` (GB/T 32905-2016, 5.3.2).
macro_rules! expand {
    ($w:ident, $j:expr) => {
        if $j >= 12 {
            let i = $j + 4;
            $w[i % 16] = p1($w[i % 16] ^ $w[(i + 7) % 16] ^ $w[(i + 13) % 16].rotate_left(15))
                ^ $w[(i + 3) % 16].rotate_left(7)
                ^ $w[(i + 10) % 16];
        }
    };
}

/// One round with the variables renamed instead of moved: the new `a` is left in `$d`, the new `e` in `$h`.
macro_rules! round {
    ($ff:expr, $gg:expr, $j:expr, $w:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        expand!($w, $j);
        let a12 = $a.rotate_left(12);
        let ss1 = a12.wrapping_add($e.wrapping_add(K[$j])).rotate_left(7);
        let ss2 = ss1 ^ a12;
        let w0 = $w[$j % 16];
        let w4 = $w[($j + 4) % 16];
        let t1 = $d.wrapping_add(w0 ^ w4).wrapping_add($ff($a, $b, $c));
        let t2 = $h.wrapping_add(w0).wrapping_add($gg($e, $f, $g));
        $d = t1.wrapping_add(ss2);
        $b = $b.rotate_left(9);
        $h = p0(t2.wrapping_add(ss1));
        $f = $f.rotate_left(19);
    };
}

/// Four rounds, after which the names stand for the words they started with.
macro_rules! four_rounds {
    ($ff:expr, $gg:expr, $j:expr, $w:ident, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident) => {
        round!($ff, $gg, $j, $w, $a $b $c $d $e $f $g $h);
        round!($ff, $gg, $j + 1, $w, $d $a $b $c $h $e $f $g);
        round!($ff, $gg, $j + 2, $w, $c $d $a $b $g $h $e $f);
        round!($ff, $gg, $j + 3, $w, $b $c $d $a $f $g $h $e);
    };
}

#[inline(always)]
fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

#[inline(always)]
fn majority(x: u32, y: u32, z: u32) -> u32 {
    // The two terms never share a bit, so they may be added: one step off the chain where the compiler reassociates.
    (x & y).wrapping_add((x ^ y) & z)
}

#[inline(always)]
fn choose(x: u32, y: u32, z: u32) -> u32 {
    (x & y).wrapping_add(!x & z)
}

#[inline(always)]
fn compress_block(state: &mut State, block: &[u8]) {
    let mut w = [0u32; 16];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    four_rounds!(parity, parity, 0, w, a b c d e f g h);
    four_rounds!(parity, parity, 4, w, a b c d e f g h);
    four_rounds!(parity, parity, 8, w, a b c d e f g h);
    four_rounds!(parity, parity, 12, w, a b c d e f g h);
    four_rounds!(majority, choose, 16, w, a b c d e f g h);
    four_rounds!(majority, choose, 20, w, a b c d e f g h);
    four_rounds!(majority, choose, 24, w, a b c d e f g h);
    four_rounds!(majority, choose, 28, w, a b c d e f g h);
    four_rounds!(majority, choose, 32, w, a b c d e f g h);
    four_rounds!(majority, choose, 36, w, a b c d e f g h);
    four_rounds!(majority, choose, 40, w, a b c d e f g h);
    four_rounds!(majority, choose, 44, w, a b c d e f g h);
    four_rounds!(majority, choose, 48, w, a b c d e f g h);
    four_rounds!(majority, choose, 52, w, a b c d e f g h);
    four_rounds!(majority, choose, 56, w, a b c d e f g h);
    four_rounds!(majority, choose, 60, w, a b c d e f g h);
    for (word, value) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word ^= value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detected_code_agrees_with_the_portable_one() {
        let blocks: Vec<u8> = (0..BLOCK_LEN * 5).map(|i| (i * 7 + i / 64) as u8).collect();
        let (mut detected, mut portable) = (INITIAL, INITIAL);
        compress(&mut detected, &blocks);
        compress_blocks(&mut portable, &blocks);
        assert_eq!(detected, portable);
    }
}
