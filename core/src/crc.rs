//! Cyclic redundancy checks of 32 bits, reflected: the one of PROXY headers (CRC-32C) and the one of rings (CRC-32).

/// A check by one polynomial.
pub(crate) struct Crc([u32; 256]);

/// IEEE 802.3.
pub(crate) static CRC32: Crc = Crc::of(0xedb8_8320);

/// Castagnoli (RFC 3309 appendix B).
pub(crate) static CRC32C: Crc = Crc::of(0x82f6_3b78);

impl Crc {
    /// The check by the polynomial with its bits reversed.
    const fn of(polynomial: u32) -> Self {
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < table.len() {
            let mut value = byte as u32;
            let mut bit = 0;
            while bit < 8 {
                value = value >> 1 ^ if value & 1 == 1 { polynomial } else { 0 };
                bit += 1;
            }
            table[byte] = value;
            byte += 1;
        }
        Crc(table)
    }

    /// The state after some bytes. Begins with all ones, and its complement is the check.
    pub fn update(&self, state: u32, bytes: impl IntoIterator<Item = u8>) -> u32 {
        let step =
            |state: u32, byte: u8| self.0[usize::from(state.to_le_bytes()[0] ^ byte)] ^ state >> 8;
        bytes.into_iter().fold(state, step)
    }

    /// The check of these bytes.
    pub fn check(&self, bytes: impl IntoIterator<Item = u8>) -> u32 {
        !self.update(u32::MAX, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_have_their_known_values() {
        // The check value of the CRC catalogue.
        assert_eq!(CRC32.check(*b"123456789"), 0xcbf4_3926);
        // RFC 3720 appendix B.4.
        assert_eq!(CRC32C.check([0; 32]), 0x8a91_36aa);
        assert_eq!(CRC32C.check([0xff; 32]), 0x62a8_ab43);
        assert_eq!(CRC32C.check(0..32), 0x46dd_794e);
    }
}
