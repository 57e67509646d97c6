//! What is sent to a peer and what its answer must be. No I/O: bytes go in, a judgement comes out.

use std::fmt;
use std::ops::RangeInclusive;

/// An answer longer than this that still does not tell is a failure.
pub const LONGEST: usize = 16 * 1024;

/// A line longer than this is not one of the protocols spoken here.
const LONGEST_LINE: usize = 2048;

/// One question and the answers that are good.
#[derive(Clone, Debug)]
pub struct Script {
    /// Sent first; may be empty.
    pub send: Vec<u8>,
    /// What must come back.
    pub answer: Answer,
}

/// What must come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the connection is enough.
    Nothing,
    /// One of these texts, somewhere.
    Contains(Vec<Vec<u8>>),
    /// An HTTP/1 status line with a status in one of these ranges (RFC 9112 § 4).
    Status(Vec<RangeInclusive<u16>>),
}

/// What is known after some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Not enough yet.
    More,
    /// A good answer.
    Good,
    /// A bad one: what was seen.
    Bad(String),
}

impl Answer {
    /// Judges what has been received so far; `ended`: nothing more will come.
    pub fn judge(&self, received: &[u8], ended: bool) -> Judgement {
        let told = match self {
            Answer::Nothing => Judgement::Good,
            Answer::Contains(texts) => contains(received, texts),
            Answer::Status(ranges) => match line(received) {
                Some(line) => status(line, ranges),
                None => Judgement::More,
            },
        };
        let lines = !matches!(self, Answer::Contains(_) | Answer::Nothing);
        let endless = received.len() >= LONGEST
            || (lines && line(received).is_none() && received.len() > LONGEST_LINE);
        match told {
            Judgement::More if ended && received.is_empty() => {
                Judgement::Bad("closed without an answer".to_owned())
            }
            Judgement::More if ended || endless => Judgement::Bad(quoted(received)),
            told => told,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |words: Vec<String>| words.join(" or ");
        match self {
            Answer::Nothing => f.write_str("a connection"),
            Answer::Contains(texts) => {
                f.write_str(&listed(texts.iter().map(|t| quoted(t)).collect()))
            }
            Answer::Status(ranges) => {
                let range = |r: &RangeInclusive<u16>| match r.start() == r.end() {
                    true => format!("{}", r.start()),
                    false => format!("{}-{}", r.start(), r.end()),
                };
                write!(f, "status {}", listed(ranges.iter().map(range).collect()))
            }
        }
    }
}

fn contains(received: &[u8], texts: &[Vec<u8>]) -> Judgement {
    let within = |text: &Vec<u8>| received.windows(text.len()).any(|part| part == &text[..]);
    match texts.iter().any(within) {
        true => Judgement::Good,
        false => Judgement::More,
    }
}

/// `HTTP/1.1 200 OK`.
fn status(line: &[u8], ranges: &[RangeInclusive<u16>]) -> Judgement {
    let number = line
        .strip_prefix(b"HTTP/1.")
        .and_then(|rest| match rest {
            [b'0' | b'1', b' ', a, b, c] | [b'0' | b'1', b' ', a, b, c, b' ', ..] => {
                let digits = [a, b, c].map(|d| char::from(*d).to_digit(10));
                let [a, b, c] = digits;
                Some(a? * 100 + b? * 10 + c?)
            }
            _ => None,
        })
        .and_then(|number| u16::try_from(number).ok());
    match number {
        None => Judgement::Bad(quoted(line)),
        Some(number) if ranges.iter().any(|range| range.contains(&number)) => Judgement::Good,
        Some(number) => Judgement::Bad(format!("status {number}")),
    }
}

/// The first line, without its end.
fn line(received: &[u8]) -> Option<&[u8]> {
    let end = received.iter().position(|b| *b == b'\n')?;
    let line = &received[..end];
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Bytes from outside, for one line of the log.
fn quoted(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(80)];
    format!("`{}`", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(answer: &Answer, received: &str) -> char {
        match answer.judge(received.as_bytes(), false) {
            Judgement::More => '?',
            Judgement::Good => '+',
            Judgement::Bad(_) => '-',
        }
    }

    #[test]
    fn a_status_line_is_judged_as_soon_as_it_is_whole() {
        let answer = Answer::Status(vec![200..=299, 404..=404]);
        for (received, expected) in [
            ("HTTP/1.1 20", '?'),
            ("HTTP/1.1 204 No Content\r\n", '+'),
            ("HTTP/1.0 404\r\n", '+'),
            ("HTTP/1.1 500 Oh\n", '-'),
            ("HTTP/2 200\r\n", '-'),
            ("HTTP/1.1 2000 x\r\n", '-'),
            ("SSH-2.0-x\r\n", '-'),
        ] {
            assert_eq!(judge(&answer, received), expected, "{received}");
        }
    }

    #[test]
    fn an_answer_that_ends_or_never_ends_is_bad_and_told() {
        let answer = Answer::Contains(vec![b"PONG".to_vec()]);
        assert_eq!(answer.judge(b"+PONG\r\n", false), Judgement::Good);
        assert_eq!(
            answer.judge(b"-ERR\r\n", true),
            Judgement::Bad("`-ERR\\r\\n`".to_owned())
        );
        let empty = Judgement::Bad("closed without an answer".to_owned());
        assert_eq!(answer.judge(b"", true), empty);
        assert!(matches!(
            answer.judge(&[b'x'; LONGEST], false),
            Judgement::Bad(_)
        ));
        let endless = [b'x'; LONGEST_LINE + 1];
        assert!(matches!(
            Answer::Status(vec![200..=399]).judge(&endless, false),
            Judgement::Bad(_)
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_and_an_end_always_decides(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for answer in [
                Answer::Status(vec![200..=399]),
                Answer::Contains(vec![b"ok".to_vec()]),
            ] {
                prop_assert_ne!(answer.judge(&bytes, true), Judgement::More);
                answer.judge(&bytes, false);
            }
        }
    }
}
