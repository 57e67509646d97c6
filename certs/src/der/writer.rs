//! Writes DER: every function returns one encoded element.

use super::tag;
use crate::oid::Oid;

/// One element of any tag.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    push_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

/// A constructed element from the encodings of its parts.
pub fn constructed(tag: u8, parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    element(tag, &parts.into_iter().collect::<Vec<_>>().concat())
}

/// SEQUENCE of the given parts.
pub fn sequence(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    constructed(tag::SEQUENCE, parts)
}

/// SET OF: the parts are sorted, as DER demands (X.690 §11.6).
pub fn set_of(parts: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = parts.into_iter().collect();
    parts.sort();
    constructed(tag::SET, parts)
}

/// `[number] EXPLICIT` around one element.
pub fn explicit(number: u8, inner: Vec<u8>) -> Vec<u8> {
    element(tag::context_constructed(number), &inner)
}

/// BOOLEAN.
pub fn boolean(value: bool) -> Vec<u8> {
    element(tag::BOOLEAN, &[if value { 0xff } else { 0 }])
}

/// NULL.
pub fn null() -> Vec<u8> {
    element(tag::NULL, &[])
}

/// INTEGER from an unsigned big-endian number of any length.
pub fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let first = big_endian
        .iter()
        .position(|&b| b != 0)
        .unwrap_or(big_endian.len());
    let digits = &big_endian[first..];
    let mut content = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_none_or(|&b| b & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    element(tag::INTEGER, &content)
}

/// INTEGER from a small number.
pub fn integer(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// ENUMERATED below 128.
pub fn enumerated(value: u8) -> Vec<u8> {
    element(tag::ENUMERATED, &[value & 0x7f])
}

/// OCTET STRING.
pub fn octet_string(content: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, content)
}

/// BIT STRING of whole bytes.
pub fn bit_string(content: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], content].concat())
}

/// BIT STRING of named bits, bit 0 first, without trailing zeros (X.690 §11.2.2).
pub fn named_bits(bits: u16) -> Vec<u8> {
    let reversed = bits.reverse_bits().to_be_bytes();
    let used = (16 - bits.leading_zeros()) as usize;
    let bytes = used.div_ceil(8);
    let unused = (bytes * 8 - used) as u8;
    element(tag::BIT_STRING, &[&[unused], &reversed[..bytes]].concat())
}

/// OBJECT IDENTIFIER.
pub fn object_id(oid: &Oid) -> Vec<u8> {
    element(tag::OBJECT_ID, oid.content())
}

/// UTF8String.
pub fn utf8(text: &str) -> Vec<u8> {
    element(tag::UTF8_STRING, text.as_bytes())
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let first = bytes
        .iter()
        .position(|&b| b != 0)
        .unwrap_or(bytes.len() - 1);
    out.push(0x80 | (bytes.len() - first) as u8);
    out.extend_from_slice(&bytes[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(element(4, &[0; 127])[..2], [4, 127]);
        assert_eq!(element(4, &[0; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(4, &[0; 256])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn integers_are_minimal_and_positive() {
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(unsigned(&[0, 0, 0x7f, 1]), [2, 2, 0x7f, 1]);
    }

    #[test]
    fn named_bits_have_no_trailing_zeros() {
        assert_eq!(named_bits(0b1), [3, 2, 7, 0x80]);
        assert_eq!(named_bits(0b1_1100), [3, 2, 3, 0x38]);
        assert_eq!(named_bits(0), [3, 1, 0]);
        assert_eq!(named_bits(1 << 8), [3, 3, 7, 0, 0x80]);
    }
}
