//! SM4-CCM (NIST SP 800-38C, RFC 3610, RFC 8998), in place. The length of a message is authenticated before its
//! text, so a message is processed at once.

use super::Error;
use super::constant_time::equal;
use super::ctr::Stream;
use super::key::{Block, Key, xor};

/// The length of the tag and of the nonce, checked.
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    tag: usize,
    nonce: usize,
}

impl Parameters {
    /// `tag` is 4, 6, … 16 bytes; `nonce` 7 to 13, leaving 15 − `nonce` bytes for the length of the message.
    pub fn new(tag: usize, nonce: usize) -> Result<Self, Error> {
        if !(4..=16).contains(&tag) || !tag.is_multiple_of(2) {
            return Err(Error::Length {
                what: "a tag",
                seen: tag,
                expected: "4, 6, 8, 10, 12, 14 or 16",
            });
        }
        if !(7..=13).contains(&nonce) {
            return Err(Error::Length {
                what: "a nonce",
                seen: nonce,
                expected: "7 to 13",
            });
        }
        Ok(Self { tag, nonce })
    }
}

/// Encrypts in place and writes the tag; `nonce` and `tag` have the lengths of `parameters`.
pub fn seal(
    key: &Key,
    parameters: Parameters,
    nonce: &[u8],
    additional: &[u8],
    data: &mut [u8],
    tag: &mut [u8],
) -> Result<(), Error> {
    parameters.check(nonce, data, tag)?;
    let mac = authenticate(key, parameters, nonce, additional, data);
    let mut stream = Stream::new(counter_block(nonce));
    let mut masked = mac;
    stream.apply(key, &mut masked);
    stream.apply(key, data);
    tag.copy_from_slice(&masked[..parameters.tag]);
    Ok(())
}

/// Decrypts in place. After [`Error::Refused`] the data is zero.
pub fn open(
    key: &Key,
    parameters: Parameters,
    nonce: &[u8],
    additional: &[u8],
    data: &mut [u8],
    tag: &[u8],
) -> Result<(), Error> {
    parameters.check(nonce, data, tag)?;
    let mut stream = Stream::new(counter_block(nonce));
    let mut mask = [0; 16];
    stream.apply(key, &mut mask);
    stream.apply(key, data);
    xor(
        &mut mask,
        &authenticate(key, parameters, nonce, additional, data),
    );
    if equal(&mask[..parameters.tag], tag) {
        Ok(())
    } else {
        data.fill(0);
        Err(Error::Refused)
    }
}

impl Parameters {
    fn check(self, nonce: &[u8], data: &[u8], tag: &[u8]) -> Result<(), Error> {
        if nonce.len() != self.nonce {
            return Err(Error::Length {
                what: "a nonce",
                seen: nonce.len(),
                expected: "the length announced",
            });
        }
        if tag.len() != self.tag {
            return Err(Error::Length {
                what: "a tag",
                seen: tag.len(),
                expected: "the length announced",
            });
        }
        let length_bits = 8 * (15 - self.nonce) as u32;
        let fits = length_bits >= 64 || (data.len() as u64) >> length_bits == 0;
        if fits { Ok(()) } else { Err(Error::TooLong) }
    }
}

/// The CBC-MAC of the first block, the additional data and the text (RFC 3610 §2.2).
fn authenticate(
    key: &Key,
    parameters: Parameters,
    nonce: &[u8],
    additional: &[u8],
    data: &[u8],
) -> Block {
    let mut mac = [0; 16];
    let first = first_block(parameters, nonce, !additional.is_empty(), data.len());
    key.cbc_mac(&mut mac, &[first]);
    if !additional.is_empty() {
        absorb_additional(key, &mut mac, additional);
    }
    absorb(key, &mut mac, data);
    mac
}

/// Flags, nonce and the length of the text.
fn first_block(parameters: Parameters, nonce: &[u8], additional: bool, length: usize) -> Block {
    let length_bytes = 15 - nonce.len();
    let mut block = [0; 16];
    block[8..].copy_from_slice(&(length as u64).to_be_bytes());
    block[0] = u8::from(additional) << 6
        | (((parameters.tag - 2) / 2) as u8) << 3
        | (length_bytes - 1) as u8;
    block[1..=nonce.len()].copy_from_slice(nonce);
    block
}

/// The additional data behind its own length: 2 bytes, or a marker and 4 or 8.
fn absorb_additional(key: &Key, mac: &mut Block, additional: &[u8]) {
    let length = additional.len() as u64;
    let mut head = [0; 16];
    let head_length = if length < 0xFF00 {
        head[..2].copy_from_slice(&(length as u16).to_be_bytes());
        2
    } else if let Ok(length) = u32::try_from(length) {
        head[..2].copy_from_slice(&[0xFF, 0xFE]);
        head[2..6].copy_from_slice(&length.to_be_bytes());
        6
    } else {
        head[..2].copy_from_slice(&[0xFF, 0xFF]);
        head[2..10].copy_from_slice(&length.to_be_bytes());
        10
    };
    let (now, rest) = additional.split_at(additional.len().min(16 - head_length));
    head[head_length..head_length + now.len()].copy_from_slice(now);
    key.cbc_mac(mac, &[head]);
    absorb(key, mac, rest);
}

/// Bytes, filled up with zeros to whole blocks.
fn absorb(key: &Key, mac: &mut Block, data: &[u8]) {
    let (blocks, rest) = data.as_chunks();
    key.cbc_mac(mac, blocks);
    if !rest.is_empty() {
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        key.cbc_mac(mac, &[last]);
    }
}

/// The counter block of the tag; the text begins at the next one.
fn counter_block(nonce: &[u8]) -> Block {
    let mut block = [0; 16];
    block[0] = (14 - nonce.len()) as u8;
    block[1..=nonce.len()].copy_from_slice(nonce);
    block
}
