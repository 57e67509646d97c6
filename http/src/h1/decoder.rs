//! Where a body ends: takes a body apart from the bytes of its connection (RFC 9112 §6, §7).
//!
//! Pure: it is given a buffer and says what is in it. It never reads past the end of the body, so
//! what follows in the buffer is the next message.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use memchr::memchr;

use super::Malformed;
use super::fields::parse_trailers;
use super::head::Framing;

/// The longest chunk header accepted, extensions included: no one needs them (RFC 9112 §7.1.1).
const MAX_CHUNK_HEADER: usize = 1024;
/// The largest trailer section accepted.
const MAX_TRAILERS: usize = 16 * 1024;

/// Decodes one body.
#[derive(Debug)]
pub struct Decoder(State);

/// What the buffer yielded.
#[derive(Debug)]
pub enum Step {
    /// Bytes of the body.
    Data(Bytes),
    /// The trailer fields; the body ends with them.
    Trailers(HeaderMap),
    /// The body has ended.
    End,
    /// More bytes are needed.
    More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkHeader,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// A decoder for a body that ends as `framing` says.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(n) => State::Length(n),
            Framing::Chunked => State::ChunkHeader,
            Framing::UntilClose => State::UntilClose,
        })
    }

    /// The body has been taken out of the connection completely.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Bytes of the body still to come, when known.
    pub fn remaining(&self) -> Option<u64> {
        match self.0 {
            State::Length(n) => Some(n),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Takes the next part of the body out of `buffer`.
    pub fn step(&mut self, buffer: &mut BytesMut) -> Result<Step, Malformed> {
        loop {
            match self.0 {
                State::Done => return Ok(Step::End),
                State::UntilClose if buffer.is_empty() => return Ok(Step::More),
                State::UntilClose => return Ok(Step::Data(buffer.split().freeze())),
                State::Length(n) => return Ok(self.data(buffer, n, State::Length, State::Done)),
                State::ChunkData(n) => {
                    return Ok(self.data(buffer, n, State::ChunkData, State::ChunkEnd));
                }
                State::ChunkEnd => match buffer.as_ref() {
                    [b'\r', b'\n', ..] => {
                        buffer.advance(2);
                        self.0 = State::ChunkHeader;
                    }
                    [] | [b'\r'] => return Ok(Step::More),
                    _ => return Err(Malformed::Chunk),
                },
                State::ChunkHeader => match chunk_header(buffer)? {
                    Some(0) => self.0 = State::Trailers,
                    Some(n) => self.0 = State::ChunkData(n),
                    None => return Ok(Step::More),
                },
                State::Trailers => return self.trailers(buffer),
            }
        }
    }

    /// The connection ended: is that the end of the body, too?
    pub fn finish(&mut self) -> Result<(), Malformed> {
        match std::mem::replace(&mut self.0, State::Done) {
            State::Done | State::UntilClose => Ok(()),
            _ => Err(Malformed::Truncated),
        }
    }

    fn data(
        &mut self,
        buffer: &mut BytesMut,
        left: u64,
        more: fn(u64) -> State,
        end: State,
    ) -> Step {
        if buffer.is_empty() {
            return Step::More;
        }
        let take = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let left = left - take as u64;
        self.0 = if left == 0 { end } else { more(left) };
        Step::Data(buffer.split_to(take).freeze())
    }

    fn trailers(&mut self, buffer: &mut BytesMut) -> Result<Step, Malformed> {
        if buffer.starts_with(b"\r\n") {
            buffer.advance(2);
            self.0 = State::Done;
            return Ok(Step::End);
        }
        match memchr::memmem::find(buffer, b"\r\n\r\n") {
            Some(at) => {
                let section = buffer.split_to(at + 4).freeze();
                if memchr::memchr_iter(b'\n', &section)
                    .any(|lf| lf == 0 || section[lf - 1] != b'\r')
                {
                    return Err(Malformed::BareLf);
                }
                let trailers = parse_trailers(&section)?;
                self.0 = State::Done;
                Ok(Step::Trailers(trailers))
            }
            None if buffer.len() > MAX_TRAILERS => Err(Malformed::HeadTooLarge),
            None => Ok(Step::More),
        }
    }
}

/// `HEX[;extension] CRLF`: the size, once the line is complete. Nothing may precede or follow the digits but an extension.
fn chunk_header(buffer: &mut BytesMut) -> Result<Option<u64>, Malformed> {
    let Some(lf) = memchr(b'\n', buffer) else {
        return if buffer.len() > MAX_CHUNK_HEADER {
            Err(Malformed::Chunk)
        } else {
            Ok(None)
        };
    };
    let line = buffer[..lf]
        .strip_suffix(b"\r")
        .filter(|l| l.len() <= MAX_CHUNK_HEADER)
        .ok_or(Malformed::Chunk)?;
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let extension = &line[digits..];
    let extension_valid = match extension {
        [] => true,
        [b';', rest @ ..] => rest
            .iter()
            .all(|b| matches!(b, b'\t' | b' '..=b'~' | 0x80..)),
        _ => false,
    };
    if !(1..=15).contains(&digits) || !extension_valid {
        return Err(Malformed::Chunk);
    }
    let size = line[..digits]
        .iter()
        .fold(0, |n, d| n * 16 + u64::from(hex(*d)));
    buffer.advance(lf + 1);
    Ok(Some(size))
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}
