//! The few DER elements of signatures and ciphertexts (GM/T 0009-2012, 7): sequence, integer, octet string.
//!
//! Strict: definite lengths in their shortest form, no trailing bytes. The one tolerance: an integer may carry more leading
//! zeros than DER allows, and one whose first bit is set is read as positive, because products in the field write both.
//! Neither leaves any doubt about the value.

/// Why bytes are not the expected structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerError {
    /// The bytes end inside an element.
    #[error("it ends inside an element")]
    Truncated,
    /// Another element stands where one was expected.
    #[error("expected an element with tag {expected:02x}, found {found:02x}")]
    Tag {
        /// The tag the structure has here.
        expected: u8,
        /// The tag that is there.
        found: u8,
    },
    /// A length is indefinite, longer than needed, or too long for what this can be.
    #[error("a length is not in its shortest form")]
    Length,
    /// An integer has no bytes or is longer than 32.
    #[error("an integer is empty or longer than 256 bits")]
    Integer,
    /// Bytes follow the end of the structure.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
}

pub(super) const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;

/// What is left to read.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads the content of a sequence that is all of `bytes`.
    pub(super) fn of_sequence(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut outer = Self(bytes);
        let content = outer.element(SEQUENCE)?;
        outer.end()?;
        Ok(Self(content))
    }

    /// An unsigned integer of at most 256 bits as 32 bytes, most significant first.
    pub(super) fn integer(&mut self) -> Result<[u8; 32], DerError> {
        let content = self.element(INTEGER)?;
        if content.is_empty() {
            return Err(DerError::Integer);
        }
        let zeros = content.iter().take_while(|byte| **byte == 0).count();
        let digits = &content[zeros..];
        let mut out = [0; 32];
        let start = 32usize.checked_sub(digits.len()).ok_or(DerError::Integer)?;
        out[start..].copy_from_slice(digits);
        Ok(out)
    }

    /// An octet string.
    pub(super) fn octets(&mut self) -> Result<&'a [u8], DerError> {
        self.element(OCTET_STRING)
    }

    /// Refuses anything more.
    pub(super) fn end(self) -> Result<(), DerError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(DerError::Trailing(self.0.len()))
        }
    }

    fn element(&mut self, expected: u8) -> Result<&'a [u8], DerError> {
        let found = self.byte()?;
        if found != expected {
            return Err(DerError::Tag { expected, found });
        }
        let length = self.length()?;
        self.take(length)
    }

    fn length(&mut self) -> Result<usize, DerError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let octets = usize::from(first & 0x7f);
        if octets == 0 || octets > 4 {
            return Err(DerError::Length);
        }
        let length = self
            .take(octets)?
            .iter()
            .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        // Shortest form: the short one below 128, and no leading zero octet.
        if length < 0x80 || length >> (8 * (octets - 1)) == 0 {
            Err(DerError::Length)
        } else {
            Ok(length)
        }
    }

    fn byte(&mut self) -> Result<u8, DerError> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DerError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(DerError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

/// Appends an integer of 32 bytes in DER.
pub(super) fn write_integer(out: &mut Vec<u8>, value: &[u8; 32]) {
    let zeros = value.iter().take_while(|byte| **byte == 0).count().min(31);
    let digits = &value[zeros..];
    let sign_octet = digits[0] >= 0x80;
    write_header(out, INTEGER, digits.len() + usize::from(sign_octet));
    if sign_octet {
        out.push(0);
    }
    out.extend_from_slice(digits);
}

/// Appends an octet string in DER.
pub(super) fn write_octets(out: &mut Vec<u8>, value: &[u8]) {
    write_header(out, OCTET_STRING, value.len());
    out.extend_from_slice(value);
}

/// Wraps `content` as a sequence.
pub(super) fn sequence(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    write_header(&mut out, SEQUENCE, content.len());
    out.extend_from_slice(content);
    out
}

fn write_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let octets = length.to_be_bytes();
    let count = length_octets(length);
    out.push(0x80 | count as u8);
    out.extend_from_slice(&octets[octets.len() - count..]);
}

/// How many octets the long form of a length has, after the first.
pub(super) fn length_octets(length: usize) -> usize {
    (usize::BITS - length.leading_zeros()).div_ceil(8) as usize
}
