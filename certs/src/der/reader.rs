//! Reads DER from a slice: no allocation, no recursion, no panic; every length is checked against what is left.

use super::tag;
use crate::error::{Error, Result};
use crate::oid::Oid;

/// One element: its tag, its content and the bytes of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The tag byte.
    pub tag: u8,
    /// The content.
    pub content: &'a [u8],
    /// Tag, length and content as they stood.
    pub encoded: &'a [u8],
}

impl<'a> Element<'a> {
    /// A reader over the content of a constructed element.
    pub fn reader(&self, what: &'static str) -> Reader<'a> {
        Reader::new(self.content, what)
    }
}

/// A cursor over consecutive elements of one structure, named for its errors.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// A reader over `bytes`; `what` names the structure with its article, as in "a certificate".
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, what }
    }

    /// A reader over the content of the one SEQUENCE that fills `bytes`.
    pub fn whole_sequence(bytes: &'a [u8], what: &'static str) -> Result<Self> {
        let mut outer = Self::new(bytes, what);
        let inner = outer.sequence()?;
        outer.end()?;
        Ok(inner)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The tag of the next element.
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Result<Element<'a>> {
        let (header, length) = self.header()?;
        let end = header
            .checked_add(length)
            .filter(|&end| end <= self.rest.len());
        let Some(end) = end else {
            return Err(self.wrong(format!(
                "an element of {length} bytes where {} are left",
                self.rest.len() - header
            )));
        };
        let (encoded, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Element {
            tag: encoded[0],
            content: &encoded[header..],
            encoded,
        })
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>> {
        match self.peek() {
            Some(found) if found == tag => self.any(),
            Some(found) => Err(self.wrong(format!("tag {found:#04x} where {tag:#04x} belongs"))),
            None => Err(self.wrong(format!("it ends where tag {tag:#04x} belongs"))),
        }
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>> {
        if self.peek() == Some(tag) {
            self.any().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The content of the next element, a SEQUENCE.
    pub fn sequence(&mut self) -> Result<Reader<'a>> {
        Ok(self.expect(tag::SEQUENCE)?.reader(self.what))
    }

    /// The content of the next element, a SET.
    pub fn set(&mut self) -> Result<Reader<'a>> {
        Ok(self.expect(tag::SET)?.reader(self.what))
    }

    /// An OBJECT IDENTIFIER.
    pub fn object_id(&mut self) -> Result<Oid> {
        Ok(Oid::from_content(self.expect(tag::OBJECT_ID)?.content))
    }

    /// The digits of a non-negative INTEGER, big-endian, without leading zeros (zero is empty).
    pub fn unsigned(&mut self) -> Result<&'a [u8]> {
        let content = self.expect(tag::INTEGER)?.content;
        match content {
            [] => Err(self.wrong("an empty INTEGER")),
            [first, ..] if first & 0x80 != 0 => Err(self.wrong("a negative INTEGER")),
            _ => Ok(trim_zeros(content)),
        }
    }

    /// An INTEGER that fits 64 bits.
    pub fn small(&mut self) -> Result<u64> {
        let digits = self.unsigned()?;
        if digits.len() > 8 {
            return Err(self.wrong("an INTEGER above 64 bits"));
        }
        Ok(digits
            .iter()
            .fold(0, |value, &digit| value << 8 | u64::from(digit)))
    }

    /// The content of an OCTET STRING.
    pub fn octets(&mut self) -> Result<&'a [u8]> {
        Ok(self.expect(tag::OCTET_STRING)?.content)
    }

    /// The content of a BIT STRING of whole bytes.
    pub fn bits(&mut self) -> Result<&'a [u8]> {
        match self.expect(tag::BIT_STRING)?.content {
            [0, bytes @ ..] => Ok(bytes),
            _ => Err(self.wrong("a BIT STRING that is not whole bytes")),
        }
    }

    /// A BOOLEAN; any non-zero byte is true, as BER writers have it.
    pub fn boolean(&mut self) -> Result<bool> {
        match self.expect(tag::BOOLEAN)?.content {
            [value] => Ok(*value != 0),
            _ => Err(self.wrong("a BOOLEAN that is not one byte")),
        }
    }

    /// Fails if anything is left.
    pub fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.wrong(format!("{} bytes too many at the end", self.rest.len())))
    }

    /// An error that names the structure being read.
    pub fn wrong(&self, found: impl Into<String>) -> Error {
        Error::malformed(self.what, found)
    }

    /// The length of tag and length bytes, and the length of the content.
    fn header(&self) -> Result<(usize, usize)> {
        let [tag, first, ..] = *self.rest else {
            return Err(self.wrong("it ends in the middle of an element"));
        };
        if tag & 0x1f == 0x1f {
            return Err(self.wrong("a tag of several bytes"));
        }
        if first < 0x80 {
            return Ok((2, usize::from(first)));
        }
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return Err(self.wrong("an indefinite or oversized length (BER, not DER)"));
        }
        let Some(digits) = self.rest.get(2..2 + count) else {
            return Err(self.wrong("it ends in the middle of a length"));
        };
        Ok((
            2 + count,
            digits
                .iter()
                .fold(0, |length, &digit| length << 8 | usize::from(digit)),
        ))
    }
}

fn trim_zeros(digits: &[u8]) -> &[u8] {
    let first = digits.iter().position(|&b| b != 0).unwrap_or(digits.len());
    &digits[first..]
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_writer_writes_is_read_back() {
        let bytes = sequence([
            integer(300),
            octet_string(b"abc"),
            boolean(true),
            object_id(&crate::oid::SM3),
        ]);
        let mut reader = Reader::whole_sequence(&bytes, "a test").unwrap();
        assert_eq!(reader.small().unwrap(), 300);
        assert_eq!(reader.octets().unwrap(), b"abc");
        assert!(reader.boolean().unwrap());
        assert_eq!(reader.object_id().unwrap(), crate::oid::SM3);
        reader.end().unwrap();
    }

    #[test]
    fn a_length_beyond_the_input_is_an_error() {
        for bytes in [
            &[0x30, 0x05, 1][..],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x80, 0, 0],
            &[0x30],
            &[],
        ] {
            assert!(Reader::new(bytes, "a test").any().is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes, "a test");
            while let Ok(element) = reader.any() {
                prop_assert!(element.encoded.len() >= element.content.len() + 2);
            }
        }

        #[test]
        fn unsigned_numbers_survive_a_round_trip(digits in proptest::collection::vec(any::<u8>(), 0..40)) {
            let encoded = unsigned(&digits);
            prop_assert_eq!(Reader::new(&encoded, "a test").unsigned().unwrap(), trim_zeros(&digits));
        }
    }
}
