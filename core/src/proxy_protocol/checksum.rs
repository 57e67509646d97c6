//! CRC32C (Castagnoli, RFC 3309 appendix B) over a header of version 2 (§ 2.2.3), and the length that ends it.

/// Where the length of what follows the fixed part stands.
const LENGTH: std::ops::Range<usize> = 14..16;
const FIXED: usize = 16;
const TYPE: u8 = 0x03;
const SIZE: usize = 4;

/// The polynomial 0x1EDC6F41, its bits reversed.
const POLYNOMIAL: u32 = 0x82f6_3b78;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ POLYNOMIAL
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// CRC32C of some bytes.
pub fn crc32c(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let step = |value: u32, byte: u8| TABLE[usize::from(value as u8 ^ byte)] ^ value >> 8;
    !bytes.into_iter().fold(u32::MAX, step)
}

/// The checksum of a header whose own checksum stands at `place`: as if it were zero.
pub fn of_header(header: &[u8], place: std::ops::Range<usize>) -> u32 {
    let zeroed = |(at, byte): (usize, &u8)| if place.contains(&at) { 0 } else { *byte };
    crc32c(header.iter().enumerate().map(zeroed))
}

/// Ends the header that begins at `start`: appends the checksum, and enters the length.
pub fn write(start: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&[TYPE, 0, SIZE as u8, 0, 0, 0, 0]);
    let length = u16::try_from(out.len() - start - FIXED).unwrap_or(u16::MAX);
    out[start..][LENGTH].copy_from_slice(&length.to_be_bytes());
    let place = out.len() - SIZE;
    let sum = crc32c(out[start..].iter().copied());
    out[place..].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    #[test]
    fn it_is_castagnolis() {
        // RFC 3720 appendix B.4.
        assert_eq!(crc32c([0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c([0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(0..32), 0x46dd_794e);
    }
}
