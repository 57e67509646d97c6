//! SM4-CCM: a message's text in one update, and whole records of TLS 1.2.

use super::super::ffi::{Failed, Io, Outcome};
use super::super::lifecycle;
use super::super::params::{DESCRIBE_END, Description, Kind, Param, describe};
use super::tls_aad::{EXPLICIT_IV, FIXED_IV, TlsAad, parts};
use super::{Direction, KEY, Mode, Shape};
use crate::sm4::Key;
use crate::sm4::ccm::{Parameters, open, seal};

/// The longest nonce and tag, in bytes.
const LONGEST_NONCE: usize = 13;
const LONGEST_TAG: usize = 16;

/// A context of SM4-CCM.
#[derive(Clone)]
pub(super) struct Ccm {
    direction: Direction,
    key: Option<Key>,
    nonce: [u8; LONGEST_NONCE],
    nonce_length: usize,
    has_nonce: bool,
    additional: Vec<u8>,
    /// The length of the text, announced before the additional data.
    length: Option<usize>,
    tag: [u8; LONGEST_TAG],
    tag_length: usize,
    /// Encrypting: the tag is made. Decrypting: the one to compare with is there.
    has_tag: bool,
    /// The next update is a record of TLS 1.2.
    record: Option<TlsAad>,
}

impl Mode for Ccm {
    const SHAPE: Shape = Shape {
        mode: 7,
        iv: 12,
        block: 1,
        aead: true,
    };

    fn new() -> Self {
        Self {
            direction: Direction::Encrypt,
            key: None,
            nonce: [0; LONGEST_NONCE],
            // Tongsuo's own defaults.
            nonce_length: 7,
            tag_length: 12,
            has_nonce: false,
            additional: Vec::new(),
            length: None,
            tag: [0; LONGEST_TAG],
            has_tag: false,
            record: None,
        }
    }

    fn start(
        &mut self,
        direction: Direction,
        key: Option<&[u8; KEY]>,
        iv: Option<&[u8]>,
    ) -> Outcome {
        self.direction = direction;
        if let Some(iv) = iv {
            if iv.len() != self.nonce_length {
                return Err(Failed);
            }
            self.nonce[..iv.len()].copy_from_slice(iv);
            self.has_nonce = true;
            // A tag to compare with may come before the nonce.
            self.has_tag &= direction == Direction::Decrypt;
            self.length = None;
            self.additional.clear();
        }
        if let Some(key) = key {
            self.key = Some(Key::new(key));
        }
        Ok(())
    }

    fn update(&mut self, mut io: Io) -> Outcome<usize> {
        if let Some(aad) = self.record.take() {
            return self.cipher_record(io, &aad.0);
        }
        let length = io.length();
        if !self.has_nonce || self.key.is_none() {
            return Err(Failed);
        }
        match (io.has_output(), io.input()) {
            (false, None) => self.length = Some(length),
            (false, Some(additional)) => self.additional.extend_from_slice(additional),
            (true, None) => return Err(Failed),
            (true, Some(_)) => self.text(io.output(&[], length)?)?,
        }
        Ok(length)
    }

    fn finish(&mut self, _io: Io) -> Outcome<usize> {
        let pending = match self.direction {
            Direction::Encrypt => !self.has_tag,
            Direction::Decrypt => self.has_nonce,
        };
        if self.key.is_none() {
            return Err(Failed);
        }
        if self.has_nonce && pending {
            self.text(&mut [])?;
        }
        Ok(0)
    }
}

impl lifecycle::Parameters for Ccm {
    const GETTABLE: &'static [Description] = &[
        describe(c"keylen", Kind::Unsigned),
        describe(c"ivlen", Kind::Unsigned),
        describe(c"taglen", Kind::Unsigned),
        describe(c"iv", Kind::Octets),
        describe(c"updated-iv", Kind::Octets),
        describe(c"tag", Kind::Octets),
        describe(c"tlsaadpad", Kind::Unsigned),
        DESCRIBE_END,
    ];

    const SETTABLE: &'static [Description] = &[
        describe(c"ivlen", Kind::Unsigned),
        describe(c"tag", Kind::Octets),
        describe(c"tlsaad", Kind::Octets),
        describe(c"tlsivfixed", Kind::Octets),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            b"ivlen" => self.set_nonce_length(param.size()?),
            b"tag" => self.set_tag(param.octets()?, param.length()),
            b"tlsaad" => {
                let given = param.octets()?.ok_or(Failed)?;
                self.record = Some(TlsAad::new(given, self.direction, self.tag_length)?);
                Ok(())
            }
            b"tlsivfixed" => {
                let fixed = param.octets()?.ok_or(Failed)?;
                let fixed: &[u8; FIXED_IV] = fixed.try_into().map_err(|_| Failed)?;
                self.nonce[..FIXED_IV].copy_from_slice(fixed);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"keylen" => param.answer_size(KEY),
            b"ivlen" => param.answer_size(self.nonce_length),
            b"taglen" | b"tlsaadpad" => param.answer_size(self.tag_length),
            b"iv" | b"updated-iv" => {
                param.answer_octets_or_pointer(&self.nonce[..self.nonce_length])
            }
            b"tag" => {
                if self.direction == Direction::Decrypt || !self.has_tag {
                    return Err(Failed);
                }
                let tag = self.tag.get(..param.length()).ok_or(Failed)?;
                param.answer_octets(tag)?;
                self.has_tag = false;
                self.has_nonce = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Ccm {
    /// The whole text of a message.
    fn text(&mut self, data: &mut [u8]) -> Outcome {
        if self.length.is_some_and(|length| length != data.len()) {
            return Err(Failed);
        }
        let key = self.key.as_ref().ok_or(Failed)?;
        let parameters = Parameters::new(self.tag_length, self.nonce_length).map_err(|_| Failed)?;
        let nonce = &self.nonce[..self.nonce_length];
        let tag = &mut self.tag[..self.tag_length];
        match self.direction {
            Direction::Encrypt => {
                seal(key, parameters, nonce, &self.additional, data, tag).map_err(|_| Failed)?;
                self.has_tag = true;
            }
            Direction::Decrypt => {
                if !self.has_tag {
                    return Err(Failed);
                }
                self.has_tag = false;
                self.has_nonce = false;
                open(key, parameters, nonce, &self.additional, data, tag).map_err(|_| Failed)?;
            }
        }
        self.length = None;
        self.additional.clear();
        Ok(())
    }

    /// A whole record of TLS 1.2 in place; the explicit nonce is the sequence number.
    fn cipher_record(&mut self, mut io: Io, additional: &[u8]) -> Outcome<usize> {
        let length = io.length();
        let (explicit, content, tag) = parts(io.record(length)?, self.tag_length)?;
        if self.direction == Direction::Encrypt {
            explicit.copy_from_slice(&additional[..EXPLICIT_IV]);
        }
        self.nonce[FIXED_IV..][..EXPLICIT_IV].copy_from_slice(explicit);
        let key = self.key.as_ref().ok_or(Failed)?;
        let parameters = Parameters::new(self.tag_length, self.nonce_length).map_err(|_| Failed)?;
        let nonce = &self.nonce[..self.nonce_length];
        match self.direction {
            Direction::Encrypt => {
                seal(key, parameters, nonce, additional, content, tag).map_err(|_| Failed)?;
                Ok(length)
            }
            Direction::Decrypt => {
                open(key, parameters, nonce, additional, content, tag).map_err(|_| Failed)?;
                Ok(content.len())
            }
        }
    }

    fn set_nonce_length(&mut self, length: usize) -> Outcome {
        if !(7..=LONGEST_NONCE).contains(&length) {
            return Err(Failed);
        }
        if length != self.nonce_length {
            self.nonce_length = length;
            self.has_nonce = false;
        }
        Ok(())
    }

    /// The tag to compare with, or without one the length of the tag.
    fn set_tag(&mut self, tag: Option<&[u8]>, length: usize) -> Outcome {
        Parameters::new(length, self.nonce_length).map_err(|_| Failed)?;
        if let Some(tag) = tag {
            if self.direction == Direction::Encrypt {
                return Err(Failed);
            }
            self.tag[..length].copy_from_slice(tag);
            self.has_tag = true;
        }
        self.tag_length = length;
        Ok(())
    }
}
