//! CRC32C (Castagnoli, RFC 3309 appendix B) over a header of version 2 (§ 2.2.3), and the length that ends it.

use crate::crc::CRC32C;

/// Where the length of what follows the fixed part stands.
const LENGTH: std::ops::Range<usize> = 14..16;
const FIXED: usize = 16;
const TYPE: u8 = 0x03;
const SIZE: usize = 4;

/// The checksum of a header whose own checksum stands at `place`: as if it were zero.
pub fn of_header(header: &[u8], place: std::ops::Range<usize>) -> u32 {
    let zeroed = |(at, byte): (usize, &u8)| if place.contains(&at) { 0 } else { *byte };
    CRC32C.check(header.iter().enumerate().map(zeroed))
}

/// Ends the header that begins at `start`: appends the checksum, and enters the length.
pub fn write(start: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[TYPE, 0, SIZE as u8, 0, 0, 0, 0]);
    let length = u16::try_from(out.len() - start - FIXED).unwrap_or(u16::MAX);
    out[start..][LENGTH].copy_from_slice(&length.to_be_bytes());
    let place = out.len() - SIZE;
    let sum = CRC32C.check(out[start..].iter().copied());
    out[place..].copy_from_slice(&sum.to_be_bytes());
}
