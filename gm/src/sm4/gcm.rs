//! SM4-GCM (NIST SP 800-38D, RFC 8998), in place, in any pieces, with an IV of any length.

use super::constant_time::equal;
use super::ctr::{AHEAD, Stream, Width};
use super::key::Key;
use super::{Backend, Error};
use crate::ghash::{self, Ghash};

/// Bytes of a full tag.
pub const TAG: usize = 16;

/// The longest text under one IV, in bytes: 2³⁹ − 256 bits.
const LONGEST: u64 = (1 << 36) - 32;

/// Bytes encrypted before they are hashed: both passes find them in the first-level cache.
const PIECE: usize = 4096;

/// A key for GCM.
#[derive(Clone, Debug)]
pub struct GcmKey {
    cipher: Key,
    hash: ghash::Key,
}

impl GcmKey {
    /// Prepares a key for the fastest implementation of this processor.
    pub fn new(key: &[u8; 16]) -> Self {
        Self::build(Key::new(key))
    }

    /// Prepares a key for the given implementation, or gives nothing where the processor lacks it.
    pub fn with_backend(key: &[u8; 16], backend: Backend) -> Option<Self> {
        Key::with_backend(key, backend).map(Self::build)
    }

    fn build(cipher: Key) -> Self {
        let mut h = [[0; 16]];
        cipher.encrypt_blocks(&mut h);
        let hash = ghash::Key::for_backend(&h[0], cipher.backend().ghash());
        Self { cipher, hash }
    }

    /// Encrypts in place and gives the tag.
    pub fn seal(&self, iv: &[u8], additional: &[u8], data: &mut [u8]) -> Result<[u8; TAG], Error> {
        let mut message = Message::start(self, iv);
        message.additional(self, additional);
        message.encrypt(self, data)?;
        Ok(message.tag(self))
    }

    /// Decrypts in place. After [`Error::Refused`] the data is neither the text nor the ciphertext: discard it.
    pub fn open(
        &self,
        iv: &[u8],
        additional: &[u8],
        data: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let mut message = Message::start(self, iv);
        message.additional(self, additional);
        message.decrypt(self, data)?;
        message.verify(self, tag)
    }
}

/// One message: all of its additional data, then its text, then its tag. `key` must be the same at every call.
#[derive(Clone)]
pub struct Message {
    /// Begins at J₀ until `tag_mask` is taken from it, then at the text.
    stream: Stream,
    hash: Ghash,
    /// The encryption of J₀, which covers the tag.
    tag_mask: Option<u128>,
    additional: u64,
    text: u64,
}

impl Message {
    /// Starts a message under an IV of any length; 12 bytes is the usual one and the fastest.
    pub fn start(key: &GcmKey, iv: &[u8]) -> Self {
        let stream = Stream::with_width(initial_counter(key, iv), Width::Bits32);
        Self {
            stream,
            hash: Ghash::new(),
            tag_mask: None,
            additional: 0,
            text: 0,
        }
    }

    /// Adds additional data, before any text.
    pub fn additional(&mut self, key: &GcmKey, data: &[u8]) {
        self.hash.update(&key.hash, data);
        self.additional += data.len() as u64;
    }

    /// Encrypts the next part of the text.
    pub fn encrypt(&mut self, key: &GcmKey, data: &mut [u8]) -> Result<(), Error> {
        self.in_pieces(key, data, |message, piece| {
            message.stream.apply(&key.cipher, piece);
            message.hash.update(&key.hash, piece);
        })
    }

    /// Decrypts the next part of the text. It is not to be believed before [`Message::verify`] has answered.
    pub fn decrypt(&mut self, key: &GcmKey, data: &mut [u8]) -> Result<(), Error> {
        self.in_pieces(key, data, |message, piece| {
            message.hash.update(&key.hash, piece);
            message.stream.apply(&key.cipher, piece);
        })
    }

    /// The tag of the finished message.
    pub fn tag(mut self, key: &GcmKey) -> [u8; TAG] {
        self.hash.pad(&key.hash);
        let hash = self.hash.finish(&key.hash, self.additional, self.text);
        (u128::from_ne_bytes(hash) ^ self.tag_mask(key, 0)).to_ne_bytes()
    }

    /// Compares the tag of the finished message, or its first 4, 8 or 12 to 16 bytes, in constant time.
    pub fn verify(self, key: &GcmKey, tag: &[u8]) -> Result<(), Error> {
        if !matches!(tag.len(), 4 | 8 | 12..=TAG) {
            return Err(Error::Length {
                what: "a tag",
                seen: tag.len(),
                expected: "4, 8 or 12 to 16",
            });
        }
        if self.matches(key, tag) {
            Ok(())
        } else {
            Err(Error::Refused)
        }
    }

    /// Whether the tag begins with these bytes, of any number up to 16.
    pub(crate) fn matches(self, key: &GcmKey, tag: &[u8]) -> bool {
        let own = self.tag(key);
        own.get(..tag.len()).is_some_and(|own| equal(own, tag))
    }

    fn in_pieces(
        &mut self,
        key: &GcmKey,
        data: &mut [u8],
        step: impl Fn(&mut Self, &mut [u8]),
    ) -> Result<(), Error> {
        let text = self
            .text
            .checked_add(data.len() as u64)
            .filter(|text| *text <= LONGEST);
        let text = text.ok_or(Error::TooLong)?;
        if self.tag_mask.is_none() {
            self.hash.pad(&key.hash);
            self.tag_mask(key, data.len());
        }
        self.text = text;
        // The first piece ends where the stream is at a vector's boundary, so that the others need no stored stream.
        let (first, rest) = data.split_at_mut(self.stream.ready().min(data.len()));
        step(self, first);
        for piece in rest.chunks_mut(PIECE) {
            step(self, piece);
        }
        Ok(())
    }
}

impl Message {
    /// The encryption of J₀. Where a text of `expected` bytes follows and is short, one pass makes its key stream too;
    /// a long one is better off beginning at a vector's boundary.
    fn tag_mask(&mut self, key: &GcmKey, expected: usize) -> u128 {
        let stream = &mut self.stream;
        *self.tag_mask.get_or_insert_with(|| {
            let mut mask = [0; TAG];
            if expected < AHEAD {
                stream.apply(&key.cipher, &mut mask);
            } else {
                stream.apply_block(&key.cipher, &mut mask);
            }
            u128::from_ne_bytes(mask)
        })
    }
}

/// J₀ (SP 800-38D §7.1): the IV and a one, or the hash of an IV that is not 12 bytes long.
fn initial_counter(key: &GcmKey, iv: &[u8]) -> u128 {
    let mut block = [0; 16];
    if iv.len() == 12 {
        block[..12].copy_from_slice(iv);
        block[15] = 1;
    } else {
        let mut hash = Ghash::new();
        hash.update(&key.hash, iv);
        hash.pad(&key.hash);
        block = hash.finish(&key.hash, 0, iv.len() as u64);
    }
    u128::from_be_bytes(block)
}
