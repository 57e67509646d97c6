//! SM4-GCM: messages in any pieces (TLS 1.3 and others), and whole records of TLS 1.2 and TLCP.

use openssl::rand::rand_bytes;

use super::super::ffi::{Failed, Io, Outcome};
use super::super::lifecycle::Parameters;
use super::super::params::{DESCRIBE_END, Description, Kind, Param, describe};
use super::tls_aad::{EXPLICIT_IV, FIXED_IV, TlsAad, parts};
use super::{Direction, KEY, Mode, Shape};
use crate::sm4::gcm::{GcmKey, Message, TAG};

/// The longest IV Tongsuo passes, in bytes.
const LONGEST_IV: usize = 128;
/// The usual one.
const IV: usize = FIXED_IV + EXPLICIT_IV;

/// A context of SM4-GCM.
#[derive(Clone)]
pub(super) struct Gcm {
    direction: Direction,
    key: Option<GcmKey>,
    iv: [u8; LONGEST_IV],
    iv_length: usize,
    state: State,
    /// The tag made, or the one to compare with.
    tag: [u8; TAG],
    tag_length: Option<usize>,
    /// The next update is a record of TLS 1.2 or TLCP.
    record: Option<TlsAad>,
    /// The IV has a fixed part and is counted up.
    counts_iv: bool,
    random_iv: bool,
}

/// How far the message under the present IV is.
#[derive(Clone)]
enum State {
    /// There is no IV.
    Empty,
    /// There is one, not used yet.
    Ready,
    Running(Box<Message>),
    /// The IV is spent: using it again would give the key away.
    Spent,
}

impl Mode for Gcm {
    const SHAPE: Shape = Shape {
        mode: 6,
        iv: IV,
        block: 1,
        aead: true,
    };

    fn new() -> Self {
        Self {
            direction: Direction::Encrypt,
            key: None,
            iv: [0; LONGEST_IV],
            iv_length: IV,
            state: State::Empty,
            tag: [0; TAG],
            tag_length: None,
            record: None,
            counts_iv: false,
            random_iv: false,
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
            self.iv
                .get_mut(..iv.len())
                .filter(|_| !iv.is_empty())
                .ok_or(Failed)?
                .copy_from_slice(iv);
            self.iv_length = iv.len();
            self.state = State::Ready;
        }
        if let Some(key) = key {
            self.key = Some(GcmKey::new(key));
        }
        Ok(())
    }

    fn update(&mut self, mut io: Io) -> Outcome<usize> {
        if let Some(aad) = self.record.take() {
            return self.cipher_record(io, &aad.0);
        }
        let length = io.length();
        if length == 0 {
            return Ok(0);
        }
        self.run()?;
        let (Some(key), State::Running(message)) = (&self.key, &mut self.state) else {
            return Err(Failed);
        };
        if io.has_output() {
            let data = io.output(&[], length)?;
            match self.direction {
                Direction::Encrypt => message.encrypt(key, data),
                Direction::Decrypt => message.decrypt(key, data),
            }
            .map_err(|_| Failed)?;
        } else {
            message.additional(key, io.input().ok_or(Failed)?);
        }
        Ok(length)
    }

    fn finish(&mut self, _io: Io) -> Outcome<usize> {
        self.run()?;
        let State::Running(message) = std::mem::replace(&mut self.state, State::Spent) else {
            return Err(Failed);
        };
        let key = self.key.as_ref().ok_or(Failed)?;
        match self.direction {
            Direction::Encrypt => {
                self.tag = message.tag(key);
                self.tag_length = Some(TAG);
            }
            Direction::Decrypt => {
                let length = self.tag_length.ok_or(Failed)?;
                let same = message.matches(key, &self.tag[..length]);
                same.then_some(()).ok_or(Failed)?;
            }
        }
        Ok(0)
    }
}

impl Parameters for Gcm {
    const GETTABLE: &'static [Description] = &[
        describe(c"keylen", Kind::Unsigned),
        describe(c"ivlen", Kind::Unsigned),
        describe(c"taglen", Kind::Unsigned),
        describe(c"iv", Kind::Octets),
        describe(c"updated-iv", Kind::Octets),
        describe(c"tag", Kind::Octets),
        describe(c"tlsaadpad", Kind::Unsigned),
        describe(c"tlsivgen", Kind::Octets),
        describe(c"iv-generated", Kind::Unsigned),
        DESCRIBE_END,
    ];

    const SETTABLE: &'static [Description] = &[
        describe(c"ivlen", Kind::Unsigned),
        describe(c"tag", Kind::Octets),
        describe(c"tlsaad", Kind::Octets),
        describe(c"tlsivfixed", Kind::Octets),
        describe(c"tlsivinv", Kind::Octets),
        DESCRIBE_END,
    ];

    fn set(&mut self, param: &Param) -> Outcome {
        match param.key() {
            b"ivlen" => self.set_iv_length(param.size()?),
            b"tag" => self.expect_tag(param.octets()?.ok_or(Failed)?),
            b"tlsaad" => {
                let given = param.octets()?.ok_or(Failed)?;
                self.record = Some(TlsAad::new(given, self.direction, TAG)?);
                Ok(())
            }
            b"tlsivfixed" => self.fix_iv(param.octets()?.ok_or(Failed)?),
            b"tlsivinv" => self.receive_iv(param.octets()?.ok_or(Failed)?),
            _ => Ok(()),
        }
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"keylen" => param.answer_size(KEY),
            b"ivlen" => param.answer_size(self.iv_length),
            b"taglen" => param.answer_size(self.tag_length.unwrap_or(TAG)),
            b"iv" | b"updated-iv" if matches!(self.state, State::Empty) => Err(Failed),
            b"iv" | b"updated-iv" => param.answer_octets_or_pointer(&self.iv[..self.iv_length]),
            b"tag" => self.answer_tag(param),
            b"tlsaadpad" => param.answer_size(TAG),
            b"tlsivgen" => {
                let wanted = param.length();
                let (iv, length) = self.next_iv(wanted)?;
                param.answer_octets(&iv[..length])
            }
            b"iv-generated" => param.answer_number(self.random_iv.into()),
            _ => Ok(()),
        }
    }
}

impl Gcm {
    /// Begins the message of an IV not yet used; without one, an encrypting context chooses it.
    fn run(&mut self) -> Outcome {
        let key = self.key.as_ref().ok_or(Failed)?;
        if matches!(self.state, State::Empty) {
            if self.direction == Direction::Decrypt || self.iv_length < IV {
                return Err(Failed);
            }
            rand_bytes(&mut self.iv[..self.iv_length]).map_err(|_| Failed)?;
            self.random_iv = true;
            self.state = State::Ready;
        }
        if matches!(self.state, State::Ready) {
            let message = Message::start(key, &self.iv[..self.iv_length]);
            self.state = State::Running(Box::new(message));
        }
        Ok(())
    }

    /// A whole record of TLS 1.2 or TLCP in place. Its IV is spent afterwards, whatever the outcome.
    fn cipher_record(&mut self, mut io: Io, additional: &[u8]) -> Outcome<usize> {
        let length = io.length();
        let (explicit, content, tag) = parts(io.record(length)?, TAG)?;
        match self.direction {
            Direction::Encrypt => {
                // The nonce must not be used twice: the next record's is counted up before anything is put out.
                let (iv, length) = self.next_iv(EXPLICIT_IV)?;
                explicit.copy_from_slice(&iv[..length]);
                let State::Running(mut message) = std::mem::replace(&mut self.state, State::Spent)
                else {
                    return Err(Failed);
                };
                let key = self.key.as_ref().ok_or(Failed)?;
                message.additional(key, additional);
                message.encrypt(key, content).map_err(|_| Failed)?;
                tag.copy_from_slice(&message.tag(key));
                Ok(length + content.len() + TAG)
            }
            Direction::Decrypt => {
                self.receive_iv(explicit)?;
                self.state = State::Spent;
                let key = self.key.as_ref().ok_or(Failed)?;
                let opened = key.open(&self.iv[..self.iv_length], additional, content, tag);
                if opened.is_err() {
                    content.fill(0);
                    return Err(Failed);
                }
                Ok(content.len())
            }
        }
    }

    fn set_iv_length(&mut self, length: usize) -> Outcome {
        if length == 0 || length > LONGEST_IV {
            return Err(Failed);
        }
        if self.iv_length != length {
            // What IV there was had another length.
            if !matches!(self.state, State::Empty) {
                self.state = State::Spent;
            }
            self.iv_length = length;
        }
        Ok(())
    }

    fn expect_tag(&mut self, tag: &[u8]) -> Outcome {
        if tag.is_empty() || self.direction == Direction::Encrypt {
            return Err(Failed);
        }
        self.tag
            .get_mut(..tag.len())
            .ok_or(Failed)?
            .copy_from_slice(tag);
        self.tag_length = Some(tag.len());
        Ok(())
    }

    fn answer_tag(&self, param: &mut Param) -> Outcome {
        let wanted = param.length();
        if self.direction == Direction::Decrypt || self.tag_length.is_none() || wanted == 0 {
            return Err(Failed);
        }
        param.answer_octets(self.tag.get(..wanted).ok_or(Failed)?)
    }

    /// The part of the IV from the key block; a sender begins the rest at random.
    fn fix_iv(&mut self, fixed: &[u8]) -> Outcome {
        let counted = self.iv_length.checked_sub(fixed.len()).ok_or(Failed)?;
        if fixed.len() < FIXED_IV || counted < EXPLICIT_IV {
            return Err(Failed);
        }
        let (start, rest) = self.iv[..self.iv_length].split_at_mut(fixed.len());
        start.copy_from_slice(fixed);
        if self.direction == Direction::Encrypt {
            rand_bytes(rest).map_err(|_| Failed)?;
            self.random_iv = true;
        }
        self.counts_iv = true;
        self.state = State::Ready;
        Ok(())
    }

    /// Begins a message under the present IV, gives the last `wanted` bytes of it, and counts up.
    fn next_iv(&mut self, wanted: usize) -> Outcome<([u8; LONGEST_IV], usize)> {
        let key = self.key.as_ref().filter(|_| self.counts_iv).ok_or(Failed)?;
        let iv = &mut self.iv[..self.iv_length];
        self.state = State::Running(Box::new(Message::start(key, iv)));
        let wanted = if wanted == 0 {
            iv.len()
        } else {
            wanted.min(iv.len())
        };
        let mut answer = [0; LONGEST_IV];
        answer[..wanted].copy_from_slice(&iv[iv.len() - wanted..]);
        let counter = iv.last_chunk_mut::<EXPLICIT_IV>().ok_or(Failed)?;
        *counter = u64::from_be_bytes(*counter).wrapping_add(1).to_be_bytes();
        Ok((answer, wanted))
    }

    /// The part of the IV that came with a record.
    fn receive_iv(&mut self, received: &[u8]) -> Outcome {
        if !self.counts_iv || self.direction == Direction::Encrypt {
            return Err(Failed);
        }
        let start = self.iv_length.checked_sub(received.len()).ok_or(Failed)?;
        self.iv[start..self.iv_length].copy_from_slice(received);
        self.state = State::Ready;
        Ok(())
    }
}
