//! The structure of a message, found while it comes: where its header blocks are, which parts they begin, and what the
//! first bytes of each part are. Bounded in all it keeps and in all it does, whatever the message. No I/O.
//!
//! Understands only what tells where parts begin (RFC 2046 § 5.1), and where readers differ it sees more parts rather than
//! fewer: a line that begins with a delimiter begins a part, behind the closing delimiter, too. What the parts are is
//! judged later, from the header blocks kept here.

use super::encoding::Encoding;
use super::line_ends::LineEnds;
use super::structure::{Ambiguous, Shape, field_count, shape};

/// Bytes of all header blocks together.
const MOST_HEADERS: usize = 256 * 1024;

/// Lines of one header block.
const MOST_LINES: u32 = 1000;

/// Parts of a message.
const MOST_PARTS: usize = 1000;

/// Parts within each other.
const DEEPEST: usize = 50;

/// `Received` fields (RFC 5321 § 6.3: a loop is detected by counting them).
const MOST_RECEIVED: usize = 50;

/// Bytes of a line that decide whether it is a delimiter: those of the longest boundary taken, and the dashes.
const DECIDING: usize = 256;

/// Encoded bytes kept of the beginning of each part.
const KEPT: usize = 512;

/// Why a message is refused before it is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Header blocks without end.
    Headers,
    /// Too many parts.
    Parts,
    /// Parts too deep within each other.
    Nesting,
    /// A part with parts that are encoded once more, which nobody can see (forbidden by RFC 2046 § 5.1 and 5.2.1).
    Encoded,
    /// A boundary longer than any is (RFC 2046 § 5.1.1 allows 70 characters).
    Boundary,
    /// A header block of which readers would see different parts.
    Ambiguous,
    /// It has been through too many servers.
    Loop,
    /// Half a line end, or NUL.
    LineEnds,
}

/// A part that has no parts, or the header block of one that has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where its header block is in [`Outline::headers`].
    pub header: std::ops::Range<usize>,
    /// Whether it has no parts of its own.
    pub leaf: bool,
    /// How its content is encoded.
    pub encoding: Encoding,
    /// Bytes of its content as encoded; of base64 only the characters that count.
    pub size: u64,
    /// The beginning of its content as encoded, without what is nothing when it is decoded.
    pub head: Vec<u8>,
    /// Whether a line begins an OpenPGP message in clear sight (RFC 4880 § 6.2).
    pub armored: bool,
}

/// What is known of a message at its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// All header blocks, one behind the other, each with its empty line.
    pub headers: Vec<u8>,
    /// The parts in their order; the first is the message.
    pub parts: Vec<Part>,
}

/// Finds the structure, chunk by chunk.
#[derive(Debug, Default)]
pub struct Prescan {
    outline: Outline,
    place: Place,
    /// What is kept of the line under way: all of one of a header block, the beginning of others.
    line: Vec<u8>,
    /// The parts that the place is in, from the outside.
    within: Vec<Vec<u8>>,
    /// Where the header block under way begins, and how many lines it has.
    block: (usize, u32),
    /// What comes in chunks has not been seen to.
    ends: LineEnds,
    /// Bytes of the header block of the message itself, once it is over.
    top: Option<usize>,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In a header block.
    #[default]
    Header,
    /// At the beginning of a line of content, which may be a delimiter.
    Undecided,
    /// In a line of content that is none.
    Content,
}

impl Prescan {
    /// Takes more of the message.
    ///
    /// # Errors
    ///
    /// See [`Violation`]; nothing more may be fed then.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Violation> {
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes).map(|at| at + 1);
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.ends.piece(piece).map_err(|_| Violation::LineEnds)?;
            match self.place {
                Place::Header => self.header(piece, end.is_some())?,
                Place::Undecided => self.undecided(piece, end.is_some())?,
                Place::Content => self.content(piece, end.is_some()),
            }
            bytes = rest;
        }
        Ok(())
    }

    /// The message is over.
    ///
    /// # Errors
    ///
    /// See [`Violation`].
    pub fn finish(mut self) -> Result<Outline, Violation> {
        self.ends.finish().map_err(|_| Violation::LineEnds)?;
        match self.place {
            Place::Header if self.delimiter(&self.line).is_none() => self.block_over()?,
            Place::Undecided if !self.line.is_empty() => {
                let line = std::mem::take(&mut self.line);
                self.decide(&line)?;
            }
            _ => {}
        }
        Ok(self.outline)
    }

    /// Bytes of the header block of the message itself; `None` before its end is seen.
    pub fn top(&self) -> Option<usize> {
        self.top
    }

    /// Bytes kept.
    pub fn held(&self) -> usize {
        self.outline.headers.len() + self.outline.parts.len() * (KEPT + size_of::<Part>())
    }

    fn header(&mut self, piece: &[u8], whole: bool) -> Result<(), Violation> {
        if self.outline.headers.len() + self.line.len() + piece.len() > MOST_HEADERS {
            return Err(Violation::Headers);
        }
        self.line.extend_from_slice(piece);
        if !whole {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        // A block that a delimiter ends has no empty line, and its part no content.
        if self.delimiter(&line).is_some() {
            self.block_over()?;
            return self.decide(&line);
        }
        self.outline.headers.extend_from_slice(&line);
        self.block.1 += 1;
        match (line.as_slice(), self.block.1 > MOST_LINES) {
            (b"\r\n", _) => self.block_over(),
            (_, true) => Err(Violation::Headers),
            _ => Ok(()),
        }
    }

    /// A header block has ended: its part begins.
    fn block_over(&mut self) -> Result<(), Violation> {
        self.outline.headers.append(&mut self.line);
        let header = self.block.0..self.outline.headers.len();
        let text = &self.outline.headers[header.clone()];
        if self.top.is_none() {
            self.top = Some(text.len());
            if field_count(text, b"received") > MOST_RECEIVED {
                return Err(Violation::Loop);
            }
        }
        let shape = shape(text).map_err(|Ambiguous| Violation::Ambiguous)?;
        if self.outline.parts.len() >= MOST_PARTS {
            return Err(Violation::Parts);
        }
        self.outline.parts.push(Part {
            header,
            leaf: shape.what == Shape::Leaf,
            encoding: shape.encoding,
            size: 0,
            head: Vec::new(),
            armored: false,
        });
        self.block = (self.outline.headers.len(), 0);
        self.place = Place::Undecided;
        match shape.what {
            Shape::Leaf => return Ok(()),
            _ if shape.encoding != Encoding::Identity => return Err(Violation::Encoded),
            Shape::Message => {
                self.within.push(Vec::new());
                self.place = Place::Header;
            }
            Shape::Multipart(boundary) => {
                if boundary.len() + 4 > DECIDING {
                    return Err(Violation::Boundary);
                }
                self.within.push(boundary);
            }
        }
        match self.within.len() > DEEPEST {
            true => Err(Violation::Nesting),
            false => Ok(()),
        }
    }

    fn undecided(&mut self, piece: &[u8], whole: bool) -> Result<(), Violation> {
        let room = DECIDING - self.line.len();
        let (now, later) = piece.split_at(piece.len().min(room));
        self.line.extend_from_slice(now);
        if !whole && self.line.len() < DECIDING {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        self.place = Place::Content;
        self.decide(&line)?;
        if self.place == Place::Content {
            match later.is_empty() {
                true if whole => self.place = Place::Undecided,
                true => {}
                false => self.content(later, whole),
            }
        } else if !whole || !later.is_empty() {
            // A delimiter with more behind it than any has.
            return Err(Violation::Boundary);
        }
        Ok(())
    }

    /// A delimiter, or content.
    fn decide(&mut self, line: &[u8]) -> Result<(), Violation> {
        match self.delimiter(line) {
            Some((level, closing)) => {
                self.within.truncate(level + 1);
                self.block = (self.outline.headers.len(), 0);
                self.place = match closing {
                    true => Place::Undecided,
                    false => Place::Header,
                };
            }
            None => {
                if let Some(part) = self.outline.parts.last_mut().filter(|part| part.leaf) {
                    part.armored |= line.starts_with(b"-----BEGIN PGP MESSAGE-----");
                }
                self.count(line);
            }
        }
        Ok(())
    }

    fn content(&mut self, piece: &[u8], whole: bool) {
        self.count(piece);
        if whole {
            self.place = Place::Undecided;
        }
    }

    /// Bytes of the content of the last part.
    fn count(&mut self, bytes: &[u8]) {
        let Some(part) = self.outline.parts.last_mut() else {
            return;
        };
        part.size += part.encoding.counted(bytes);
        part.encoding.keep(bytes, &mut part.head, KEPT);
    }

    /// The part whose delimiter a line is, and whether it closes it. Of boundaries that begin alike the whole one counts.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, bool)> {
        let text = line.strip_prefix(b"--")?.trim_ascii_end();
        let levels = || {
            let levels = self.within.iter().enumerate().rev();
            // A message has none.
            levels.filter(|(_, boundary)| !boundary.is_empty())
        };
        let exact =
            levels().find_map(|(level, boundary)| match text.strip_prefix(&**boundary)? {
                b"" => Some((level, false)),
                b"--" => Some((level, true)),
                _ => None,
            });
        // Some readers take what only begins with it.
        exact.or_else(|| {
            levels()
                .find(|(_, boundary)| text.starts_with(boundary))
                .map(|(level, _)| (level, false))
        })
    }
}

#[cfg(test)]
mod tests;
