//! SM4-CTR.

use super::super::ffi::{Failed, Io, Outcome};
use super::super::lifecycle::Parameters;
use super::super::params::{DESCRIBE_END, Description, Kind, Param, describe};
use super::{Direction, KEY, Mode, Shape};
use crate::sm4::ctr::Stream;
use crate::sm4::{Block, Key};

/// A context of SM4-CTR.
#[derive(Clone)]
pub(super) struct Ctr {
    key: Option<Key>,
    iv: Block,
    /// The first counter block not used.
    next: Block,
    stream: Option<Stream>,
    /// Bytes of the stream used.
    used: u64,
}

impl Mode for Ctr {
    const SHAPE: Shape = Shape {
        mode: 5,
        iv: 16,
        block: 1,
        aead: false,
    };

    fn new() -> Self {
        Self {
            key: None,
            iv: [0; 16],
            next: [0; 16],
            stream: None,
            used: 0,
        }
    }

    fn start(
        &mut self,
        _direction: Direction,
        key: Option<&[u8; KEY]>,
        iv: Option<&[u8]>,
    ) -> Outcome {
        if let Some(key) = key {
            self.key = Some(Key::new(key));
            // What was made ahead is of the old key.
            self.stream = self.stream.take().map(|_| Stream::new(self.next));
        }
        if let Some(iv) = iv {
            self.iv = iv.try_into().map_err(|_| Failed)?;
            self.next = self.iv;
            self.used = 0;
            self.stream = Some(Stream::new(self.iv));
        }
        Ok(())
    }

    fn update(&mut self, mut io: Io) -> Outcome<usize> {
        let length = io.length();
        if length == 0 {
            return Ok(0);
        }
        let (Some(key), Some(stream)) = (&self.key, &mut self.stream) else {
            return Err(Failed);
        };
        stream.apply(key, io.output(&[], length)?);
        self.used = self.used.wrapping_add(length as u64);
        let blocks = u128::from(self.used.div_ceil(16));
        self.next = u128::from_be_bytes(self.iv)
            .wrapping_add(blocks)
            .to_be_bytes();
        Ok(length)
    }

    fn finish(&mut self, _io: Io) -> Outcome<usize> {
        self.key.is_some().then_some(0).ok_or(Failed)
    }
}

impl Parameters for Ctr {
    const GETTABLE: &'static [Description] = &[
        describe(c"keylen", Kind::Unsigned),
        describe(c"ivlen", Kind::Unsigned),
        describe(c"iv", Kind::Octets),
        describe(c"updated-iv", Kind::Octets),
        describe(c"num", Kind::Unsigned),
        DESCRIBE_END,
    ];

    const SETTABLE: &'static [Description] = &[DESCRIBE_END];

    fn set(&mut self, _param: &Param) -> Outcome {
        Ok(())
    }

    fn answer(&mut self, param: &mut Param) -> Outcome {
        match param.key() {
            b"keylen" => param.answer_size(KEY),
            b"ivlen" => param.answer_size(16),
            b"iv" => param.answer_octets_or_pointer(&self.iv),
            b"updated-iv" => param.answer_octets_or_pointer(&self.next),
            b"num" => param.answer_number((self.used % 16) as u32),
            _ => Ok(()),
        }
    }
}
