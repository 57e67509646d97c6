//! From bytes to whole IMAP commands with their literals. Bounded, without I/O: bytes that belong to a literal are never
//! read as commands.

use bytes::BytesMut;
use zeroize::{Zeroize, Zeroizing};

use crate::line::{self, TooLong};

/// Longest line, and longest command with all its literals.
pub const LONGEST_LINE: usize = 8 * 1024;
const LONGEST_COMMAND: usize = 16 * 1024;

/// Largest literal before login, and most literals of a command: two of LOGIN and one to spare.
const LARGEST_LITERAL: u64 = 4096;
const MOST_LITERALS: usize = 3;

/// A part of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text up to a literal or the end of the command.
    Text(Zeroizing<Vec<u8>>),
    /// The bytes of a literal.
    Literal(Zeroizing<Vec<u8>>),
}

/// What has become of a command so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed.
    More,
    /// The client waits to be told to send its literal: `+ `.
    GoAhead,
    /// A command.
    Whole(Vec<Piece>),
    /// No command.
    Fault(Fault),
}

/// Why bytes are no command, and whether what follows them can be trusted to begin a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The command's tag, or `*`.
    pub tag: String,
    /// The words behind `BAD`.
    pub text: &'static str,
    /// What follows may be data: the connection has to be closed.
    pub close: bool,
}

/// Puts commands together.
#[derive(Debug, Default)]
pub struct Assembler {
    pieces: Vec<Piece>,
    size: usize,
    literal: Option<usize>,
}

impl Assembler {
    /// Takes what it can from the buffer.
    pub fn advance(&mut self, buffer: &mut BytesMut) -> Progress {
        loop {
            if let Some(length) = self.literal {
                if buffer.len() < length {
                    return Progress::More;
                }
                self.literal = None;
                let bytes = take(buffer.split_to(length));
                if bytes.contains(&0) {
                    return self.fault("NUL in a literal", true);
                }
                self.pieces.push(Piece::Literal(bytes));
            }
            let step = match line::take(buffer, LONGEST_LINE.min(LONGEST_COMMAND - self.size)) {
                Ok(None) => return Progress::More,
                Ok(Some(line)) => self.line(take(line)),
                Err(TooLong) => return self.fault("line too long", true),
            };
            if let Some(progress) = step {
                return progress;
            }
        }
    }

    /// A line; `None` when a literal follows at once.
    fn line(&mut self, mut text: Zeroizing<Vec<u8>>) -> Option<Progress> {
        self.size += text.len();
        let Some(written) = literal_at_end(&text) else {
            let sound = is_sound(&text);
            self.pieces.push(Piece::Text(text));
            return Some(match sound {
                true => {
                    let pieces = std::mem::take(&mut self.pieces);
                    self.size = 0;
                    Progress::Whole(pieces)
                }
                false => self.fault("only literals may have 8-bit characters", false),
            });
        };
        text.truncate(written.start);
        let sound = is_sound(&text);
        self.pieces.push(Piece::Text(text));
        let is_literal = |piece: &&Piece| matches!(piece, Piece::Literal(_));
        let literals = self.pieces.iter().filter(is_literal).count();
        let room = (LONGEST_COMMAND - self.size) as u64;
        if written.length > LARGEST_LITERAL.min(room) {
            return Some(self.fault("[TOOBIG] literal too large", !written.waits));
        }
        if !sound || literals == MOST_LITERALS || !self.takes_literals() {
            return Some(self.fault("no literal is taken here", !written.waits));
        }
        let length = usize::try_from(written.length).unwrap_or(usize::MAX);
        self.size += length;
        self.literal = Some(length);
        written.waits.then_some(Progress::GoAhead)
    }

    /// Whether the command so far is one that has strings.
    fn takes_literals(&self) -> bool {
        self.is_login() || self.verb().eq_ignore_ascii_case(b"ID")
    }

    /// Whether the command so far is LOGIN.
    pub fn is_login(&self) -> bool {
        self.verb().eq_ignore_ascii_case(b"LOGIN")
    }

    fn verb(&self) -> &[u8] {
        match self.pieces.first() {
            Some(Piece::Text(first)) => first.split(|b| *b == b' ').nth(1).unwrap_or_default(),
            _ => b"",
        }
    }

    /// Forgets the command so far; its tag, or `*`.
    pub fn give_up(&mut self) -> String {
        let tag = match self.pieces.first() {
            Some(Piece::Text(text)) => tag_of(text).unwrap_or("*").to_owned(),
            _ => "*".to_owned(),
        };
        *self = Self::default();
        tag
    }

    fn fault(&mut self, text: &'static str, close: bool) -> Progress {
        let tag = self.give_up();
        Progress::Fault(Fault { tag, text, close })
    }
}

/// The announcement of a literal at the end of a line (RFC 3501 § 4.3, RFC 7888).
struct Written {
    start: usize,
    length: u64,
    /// The client waits for the go-ahead.
    waits: bool,
}

/// A number that does not fit counts as the largest: it is too large in any case.
fn literal_at_end(text: &[u8]) -> Option<Written> {
    let inner = text.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|b| *b == b'{')?;
    let number = &inner[start + 1..];
    let (digits, waits) = match number.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (number, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = std::str::from_utf8(digits)
        .ok()?
        .parse()
        .unwrap_or(u64::MAX);
    Some(Written {
        start,
        length,
        waits,
    })
}

/// The tag at the beginning of a command: up to 126 characters that are neither special nor `+` (RFC 3501 § 9).
pub(super) fn tag_of(text: &[u8]) -> Option<&str> {
    let end = text.iter().position(|b| *b == b' ').unwrap_or(text.len());
    let tag = &text[..end];
    let allowed = |b: &u8| (b'!'..=b'~').contains(b) && !b"(){%*\"\\]+".contains(b);
    let sound = !tag.is_empty() && tag.len() <= 126 && tag.iter().all(allowed);
    sound.then(|| std::str::from_utf8(tag).ok())?
}

fn is_sound(text: &[u8]) -> bool {
    text.iter()
        .all(|b| (b' '..=b'~').contains(b) || *b == b'\t')
}

/// The bytes on their own; where they were read into, they are wiped.
fn take(mut bytes: BytesMut) -> Zeroizing<Vec<u8>> {
    let copy = Zeroizing::new(bytes.to_vec());
    bytes.as_mut().zeroize();
    copy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(chunks: &[&[u8]]) -> Vec<Progress> {
        let (mut assembler, mut buffer, mut seen) =
            (Assembler::default(), BytesMut::new(), Vec::new());
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            loop {
                match assembler.advance(&mut buffer) {
                    Progress::More => break,
                    Progress::Fault(fault) if fault.close => {
                        seen.push(Progress::Fault(fault));
                        return seen;
                    }
                    progress => seen.push(progress),
                }
            }
        }
        seen
    }

    fn fault(bytes: &[u8]) -> (String, bool) {
        match all(&[bytes]).pop() {
            Some(Progress::Fault(fault)) => (format!("{} {}", fault.tag, fault.text), fault.close),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn literals_are_parts_of_a_command() {
        let seen = all(&[b"a LOGIN {5}\r\n", b"alice {2+}\r\npw\r\n"]);
        assert_eq!(seen[0], Progress::GoAhead);
        let Progress::Whole(pieces) = &seen[1] else {
            panic!("{seen:?}")
        };
        assert_eq!(pieces.len(), 5);
        assert_eq!(pieces[1], Piece::Literal(b"alice".to_vec().into()));
        assert_eq!(pieces[3], Piece::Literal(b"pw".to_vec().into()));
    }

    #[test]
    fn what_follows_a_literal_that_is_not_taken_is_never_read_as_a_command() {
        let (words, closed) = fault(b"a LOGIN {18446744073709551621}\r\n");
        assert_eq!(
            (words.as_str(), closed),
            ("a [TOOBIG] literal too large", false)
        );
        assert!(fault(b"a LOGIN {4097+}\r\nb LOGOUT\r\n").1);
        assert!(fault(b"a NOOP {3+}\r\nabc\r\n").1);
        assert!(!fault(b"a NOOP {3}\r\n").1);
    }

    #[test]
    fn control_and_8_bit_characters_are_refused_outside_of_literals() {
        assert!(!fault(b"a LOGIN \xc3\xa4 x\r\n").1);
        assert!(!fault(b"a LOGIN a\0 x\r\n").1);
        assert!(fault(b"a LOGIN {1+}\r\n\0 x\r\n").1);
    }

    #[test]
    fn a_command_does_not_grow_without_end() {
        assert!(fault(&[b'a'; 9000]).1);
        let line = |n: usize| {
            [
                b"a LOGIN ",
                &vec![b'x'; n][..],
                b" {4000+}\r\n",
                &vec![b'y'; 4000][..],
            ]
            .concat()
        };
        assert!(
            fault(
                &[
                    line(7000),
                    [b" {4000+}\r\n", &[b'z'; 4000][..]].concat(),
                    vec![b'w'; 9000]
                ]
                .concat()
            )
            .1
        );
    }

    #[test]
    fn a_tag_has_no_special_characters() {
        assert_eq!(tag_of(b"a1 NOOP"), Some("a1"));
        for bad in [&b"+ NOOP"[..], b"a* x", b"", b" x", b"a] x"] {
            assert_eq!(tag_of(bad), None);
        }
        assert_eq!(tag_of(&[b'a'; 127]), None);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_commands(bytes in prop::collection::vec(prop::sample::select(
            b"a LOGIN{1}+\r\n\"x 2".to_vec()), 0..80), cut in 0usize..80) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(all(&[&bytes]), all(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
