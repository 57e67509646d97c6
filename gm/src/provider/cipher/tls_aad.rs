//! The additional data of a TLS 1.2 or TLCP record, as the record layer gives it to an AEAD cipher.

use super::super::ffi::{Failed, Outcome};
use super::Direction;

/// Bytes of it: sequence number 8, type 1, version 2, length 2.
const LENGTH: usize = 13;
/// Bytes of the nonce that travel in the record.
pub(super) const EXPLICIT_IV: usize = 8;
/// Bytes of the nonce that come from the key block.
pub(super) const FIXED_IV: usize = 4;

/// The additional data, with the length of the content alone.
#[derive(Clone, Copy)]
pub(super) struct TlsAad(pub(super) [u8; LENGTH]);

impl TlsAad {
    /// The record layer writes the length of what it will pass: explicit nonce and content, and when it decrypts the
    /// tag of `tag` bytes.
    pub(super) fn new(given: &[u8], direction: Direction, tag: usize) -> Outcome<Self> {
        let mut data: [u8; LENGTH] = given.try_into().map_err(|_| Failed)?;
        let passed = usize::from(u16::from_be_bytes([data[11], data[12]]));
        let tag = if direction == Direction::Decrypt {
            tag
        } else {
            0
        };
        let content = passed.checked_sub(EXPLICIT_IV + tag).ok_or(Failed)?;
        data[11..].copy_from_slice(&(content as u16).to_be_bytes());
        Ok(Self(data))
    }
}

/// A record as it is passed: explicit nonce, content, tag.
pub(super) fn parts(
    record: &mut [u8],
    tag: usize,
) -> Outcome<(&mut [u8; EXPLICIT_IV], &mut [u8], &mut [u8])> {
    let (explicit, rest) = record.split_first_chunk_mut().ok_or(Failed)?;
    let content = rest.len().checked_sub(tag).ok_or(Failed)?;
    let (content, tag) = rest.split_at_mut(content);
    Ok((explicit, content, tag))
}
