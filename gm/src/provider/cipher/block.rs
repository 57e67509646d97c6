//! SM4-CBC and SM4-ECB: whole blocks, PKCS #7 padding held back, and the CBC records of TLCP and TLS.

use openssl::rand::rand_bytes;

use super::super::ffi::{Failed, Io, Outcome};
use super::super::lifecycle::Parameters;
use super::super::params::{DESCRIBE_END, Description, Kind, Param, describe};
use super::{Direction, KEY, Mode, Shape};
use crate::sm4::record::{LONGEST_MAC, pad, split};
use crate::sm4::{BLOCK, Block, Key, cbc};

/// SM4-CBC.
pub(super) type Cbc = Blocks<true>;
/// SM4-ECB.
pub(super) type Ecb = Blocks<false>;

/// A context of a block mode: chained (CBC) or not (ECB).
#[derive(Clone)]
pub(super) struct Blocks<const CHAINED: bool> {
    direction: Direction,
    key: Option<Key>,
    /// As given, for those who start over without another.
    iv: Block,
    chain: Block,
    held: Block,
    held_length: usize,
    padding: bool,
    record: Record,
}

/// What the record layer said about its records; `version` zero: there are none.
#[derive(Clone)]
struct Record {
    version: u32,
    mac_length: usize,
    /// The MAC of the last record.
    mac: [u8; LONGEST_MAC],
}

impl<const CHAINED: bool> Mode for Blocks<CHAINED> {
    const SHAPE: Shape = Shape {
        mode: if CHAINED { 2 } else { 1 },
        iv: if CHAINED { BLOCK } else { 0 },
        block: BLOCK,
        aead: false,
    };

    fn new() -> Self {
        Self {
            direction: Direction::Encrypt,
            key: None,
            iv: [0; BLOCK],
            chain: [0; BLOCK],
            held: [0; BLOCK],
            held_length: 0,
            padding: true,
            record: Record {
                version: 0,
                mac_length: 0,
                mac: [0; LONGEST_MAC],
            },
        }
    }

    fn start(
        &mut self,
        direction: Direction,
        key: Option<&[u8; KEY]>,
        iv: Option<&[u8]>,
    ) -> Outcome {
        self.direction = direction;
        self.held_length = 0;
        if let Some(iv) = iv.filter(|_| CHAINED) {
            self.iv = iv.try_into().map_err(|_| Failed)?;
        }
        self.chain = self.iv;
        if let Some(key) = key {
            self.key = Some(Key::new(key));
        }
        Ok(())
    }

    fn update(&mut self, mut io: Io) -> Outcome<usize> {
        if self.record.version > 0 {
            return self.cipher_record(io);
        }
        let input = io.input().unwrap_or_default();
        let total = self.held_length + input.len();
        let mut whole = total - total % BLOCK;
        // The last block of a padded text shows how much of it is text: it waits for the end.
        if whole == total && whole > 0 && self.padding && self.direction == Direction::Decrypt {
            whole -= BLOCK;
        }
        if whole == 0 {
            self.held[self.held_length..total].copy_from_slice(input);
            self.held_length = total;
            return Ok(0);
        }
        let mut rest = [0; BLOCK];
        let rest = &mut rest[..total - whole];
        rest.copy_from_slice(&input[input.len() - rest.len()..]);
        let held = self.held;
        self.crypt(io.output(&held[..self.held_length], whole)?)?;
        self.held[..rest.len()].copy_from_slice(rest);
        self.held_length = rest.len();
        Ok(whole)
    }

    fn finish(&mut self, mut io: Io) -> Outcome<usize> {
        if self.record.version > 0 {
            return Err(Failed);
        }
        let mut last = self.held;
        let length = match (self.direction, self.padding) {
            (_, false) if self.held_length == 0 => return Ok(0),
            (_, false) if self.held_length < BLOCK => return Err(Failed),
            (Direction::Encrypt, true) => {
                let padding = BLOCK - self.held_length;
                last[self.held_length..].fill(padding as u8);
                self.crypt(&mut last)?;
                BLOCK
            }
            (Direction::Decrypt, true) if self.held_length < BLOCK => return Err(Failed),
            (Direction::Decrypt, true) => {
                self.crypt(&mut last)?;
                unpad(&last)?
            }
            (_, false) => {
                self.crypt(&mut last)?;
                BLOCK
            }
        };
        self.held_length = 0;
        io.output(&last[..length], length)?;
        Ok(length)
    }

    fn at_once(&mut self, mut io: Io) -> Outcome<usize> {
        let length = io.length();
        self.crypt(io.output(&[], length)?)?;
        Ok(length)
    }
}

impl<const CHAINED: bool> Parameters for Blocks<CHAINED> {
    const GETTABLE: &'static [Description] = &[
        describe(c"keylen", Kind::Unsigned),
        describe(c"ivlen", Kind::Unsigned),
        describe(c"padding", Kind::Unsigned),
        describe(c"iv", Kind::Octets),
        describe(c"updated-iv", Kind::Octets),
        describe(c"tls-mac", Kind::OctetPointer),
        DESCRIBE_END,
    ];

    const SETTABLE: &'static [Description] = &[
        describe(c"padding", Kind::Unsigned),
        describe(c"tls-version", Kind::Unsigned),
        describe(c"tls-mac-size", Kind::Unsigned),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            b"padding" => self.padding = param.number()? != 0,
            b"tls-version" => self.record.version = param.number()?,
            b"tls-mac-size" => {
                self.record.mac_length = Some(param.size()?)
                    .filter(|size| *size <= LONGEST_MAC)
                    .ok_or(Failed)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"keylen" => param.answer_size(KEY),
            b"ivlen" => param.answer_size(Self::SHAPE.iv),
            b"padding" => param.answer_number(self.padding.into()),
            b"iv" => param.answer_octets_or_pointer(&self.iv[..Self::SHAPE.iv]),
            b"updated-iv" => param.answer_octets_or_pointer(&self.chain[..Self::SHAPE.iv]),
            b"tls-mac" => {
                param.answer_octets_or_pointer(&self.record.mac[..self.record.mac_length])
            }
            _ => Ok(()),
        }
    }
}

impl<const CHAINED: bool> Blocks<CHAINED> {
    /// Whole blocks, in place.
    fn crypt(&mut self, data: &mut [u8]) -> Outcome {
        let key = self.key.as_ref().ok_or(Failed)?;
        let (blocks, rest) = data.as_chunks_mut();
        if !rest.is_empty() {
            return Err(Failed);
        }
        match (self.direction, CHAINED) {
            (Direction::Encrypt, true) => cbc::encrypt(key, &mut self.chain, blocks),
            (Direction::Decrypt, true) => cbc::decrypt(key, &mut self.chain, blocks),
            (Direction::Encrypt, false) => key.encrypt_blocks(blocks),
            (Direction::Decrypt, false) => key.decrypt_blocks(blocks),
        }
        Ok(())
    }

    /// A whole record, in place: padded and encrypted, or decrypted and taken apart.
    fn cipher_record(&mut self, mut io: Io) -> Outcome<usize> {
        let length = io.length();
        if self.direction == Direction::Encrypt {
            let padded = (length / BLOCK + 1) * BLOCK;
            let record = io.record(padded)?;
            pad(record, length);
            self.crypt(record)?;
            return Ok(padded);
        }
        let record = io.record(length)?;
        self.crypt(record)?;
        let plain = record.get(self.record.explicit_iv()?..).ok_or(Failed)?;
        self.record.take_apart(plain)
    }
}

impl Record {
    /// Bytes in front of the content: an IV of its own since TLS 1.1, and in TLCP.
    fn explicit_iv(&self) -> Outcome<usize> {
        match self.version {
            0x0101 | 0x0302 | 0x0303 => Ok(BLOCK),
            0x0301 => Ok(0),
            _ => Err(Failed),
        }
    }

    /// Keeps the MAC and gives the length of the content. Wrong padding shows only in a wrong MAC.
    fn take_apart(&mut self, plain: &[u8]) -> Outcome<usize> {
        let mut substitute = [0; LONGEST_MAC];
        rand_bytes(&mut substitute[..self.mac_length]).map_err(|_| Failed)?;
        let parts = split(plain, self.mac_length, &substitute).ok_or(Failed)?;
        // Without a MAC inside (encrypt-then-MAC) the padding is no secret, and nothing else tells that it is wrong.
        if self.mac_length == 0 && parts.content == plain.len() {
            return Err(Failed);
        }
        self.mac = parts.mac;
        Ok(parts.content)
    }
}

/// The length of the text in a block padded by PKCS #7.
fn unpad(block: &Block) -> Outcome<usize> {
    let padding = usize::from(block[BLOCK - 1]);
    let text = BLOCK
        .checked_sub(padding)
        .filter(|_| padding > 0)
        .ok_or(Failed)?;
    let right = block[text..]
        .iter()
        .all(|byte| usize::from(*byte) == padding);
    right.then_some(text).ok_or(Failed)
}
