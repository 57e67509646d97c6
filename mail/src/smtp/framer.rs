//! What a client's bytes are: commands, a message after DATA, or a chunk after BDAT. No I/O.

use bytes::{Buf, BytesMut};
use memchr::memchr;

use super::dots::Dots;

/// Longest command with its CRLF: generous beyond RFC 5321 § 4.5.3.1.4, for long parameters.
const LONGEST_LINE: usize = 2048;

/// A piece of what a client sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Unit {
    /// A command without its CRLF.
    Line(BytesMut),
    /// A part of a message, and whether its end is in it.
    Data(BytesMut, bool),
    /// A part of a chunk, and whether it is complete with that.
    Chunk(BytesMut, bool),
}

/// Bytes that cannot be told from something else, after which nothing of the client is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A command without end.
    TooLong,
    /// Half a line end, or NUL.
    Unsound,
}

/// Cuts a client's bytes.
#[derive(Debug)]
pub struct Framer {
    state: State,
    fix: bool,
}

#[derive(Debug)]
enum State {
    /// Commands.
    Lines,
    /// After DATA: what comes next depends on the server's answer.
    Waiting,
    /// A message.
    Data(Dots),
    /// So many bytes of a chunk are missing.
    Chunk(u64),
}

impl Framer {
    /// For a client that begins with commands. With `fix`, half line ends are made whole instead of refused.
    pub fn new(fix: bool) -> Self {
        Framer {
            state: State::Lines,
            fix,
        }
    }

    /// Commands follow.
    pub fn lines(&mut self) {
        self.state = State::Lines;
    }

    /// Nothing is cut until it is known whether a message or commands follow.
    pub fn wait(&mut self) {
        self.state = State::Waiting;
    }

    /// A message follows.
    pub fn data(&mut self) {
        self.state = State::Data(Dots::new(self.fix));
    }

    /// `size` bytes of a chunk follow.
    pub fn chunk(&mut self, size: u64) {
        if size > 0 {
            self.state = State::Chunk(size);
        }
    }

    /// Whether commands come next.
    pub fn is_at_lines(&self) -> bool {
        matches!(self.state, State::Lines)
    }

    /// Whether a message or a chunk is under way.
    pub fn is_in_body(&self) -> bool {
        matches!(self.state, State::Data(_) | State::Chunk(_))
    }

    /// Cuts the next piece from the buffer; `None` when more bytes are needed, or it is not known what they are.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Unit>, Violation> {
        match &mut self.state {
            State::Waiting => Ok(None),
            State::Lines => Ok(line(buffer, self.fix)?.map(Unit::Line)),
            State::Data(dots) => {
                let taken = dots.take(buffer).map_err(|_| Violation::Unsound)?;
                if let Some((_, true)) = taken {
                    self.state = State::Lines;
                }
                Ok(taken.map(|(bytes, last)| Unit::Data(bytes, last)))
            }
            State::Chunk(missing) => {
                let here = usize::try_from(*missing)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                if here == 0 {
                    return Ok(None);
                }
                *missing -= here as u64;
                let last = *missing == 0;
                if last {
                    self.state = State::Lines;
                }
                Ok(Some(Unit::Chunk(buffer.split_to(here), last)))
            }
        }
    }
}

fn line(buffer: &mut BytesMut, fix: bool) -> Result<Option<BytesMut>, Violation> {
    let window = &buffer[..buffer.len().min(LONGEST_LINE)];
    let Some(end) = memchr(b'\n', window) else {
        return match buffer.len() >= LONGEST_LINE {
            true => Err(Violation::TooLong),
            false => Ok(None),
        };
    };
    let text = &buffer[..end];
    let text = match text.strip_suffix(b"\r") {
        Some(text) => text,
        None if fix => text,
        None => return Err(Violation::Unsound),
    };
    if text.iter().any(|b| matches!(b, b'\r' | 0)) {
        return Err(Violation::Unsound);
    }
    let length = text.len();
    let mut line = buffer.split_to(end);
    buffer.advance(1);
    line.truncate(length);
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::{Command, parse};
    use proptest::prelude::*;

    /// Commands and bodies of a session whose server says yes to everything.
    fn session(chunks: &[&[u8]]) -> (Vec<(char, Vec<u8>)>, Option<Violation>) {
        let (mut framer, mut buffer, mut seen) = (Framer::new(false), BytesMut::new(), Vec::new());
        let mut body: Vec<u8> = Vec::new();
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                match framer.next(&mut buffer) {
                    Err(violation) => return (seen, Some(violation)),
                    Ok(None) => break,
                    Ok(Some(Unit::Line(line))) => {
                        match parse(&line) {
                            Command::Data => framer.data(),
                            Command::Bdat(size, _) => framer.chunk(size),
                            _ => {}
                        }
                        seen.push(('c', line.to_vec()));
                    }
                    Ok(Some(Unit::Data(bytes, last) | Unit::Chunk(bytes, last))) => {
                        body.extend_from_slice(&bytes);
                        if last {
                            seen.push(('b', std::mem::take(&mut body)));
                        }
                    }
                }
            }
        }
        (seen, None)
    }

    #[test]
    fn the_bytes_of_a_chunk_are_no_commands() {
        let (seen, _) = session(&[b"BDAT 10\r\nRSET\r\nQUITNOOP\r\n"]);
        let expected: [(char, &[u8]); 3] =
            [('c', b"BDAT 10"), ('b', b"RSET\r\nQUIT"), ('c', b"NOOP")];
        assert_eq!(seen, expected.map(|(kind, bytes)| (kind, bytes.to_vec())));
    }

    #[test]
    fn half_a_line_end_is_refused_in_commands_too() {
        assert_eq!(session(&[b"NOOP\nRSET\r\n"]).1, Some(Violation::Unsound));
        assert_eq!(session(&[b"NO\rOP\r\n"]).1, Some(Violation::Unsound));
        assert_eq!(session(&[&[b'a'; 3000]]).1, Some(Violation::TooLong));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_session(parts in prop::collection::vec(prop::sample::select(vec![
            &b"DATA\r\n"[..], b"BDAT 3\r\n", b"NOOP\r\n", b".\r\n", b"\r\n", b"abc", b"..\r\n", b"\n"]), 0..12),
            cut in 0usize..60, other in 0usize..60) {
            let whole = parts.concat();
            let (a, b) = (cut.min(other).min(whole.len()), cut.max(other).min(whole.len()));
            prop_assert_eq!(session(&[&whole]), session(&[&whole[..a], &whole[a..b], &whole[b..]]));
        }
    }
}
