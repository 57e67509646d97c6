//! Replies of SMTP servers: one or more lines with the same code (RFC 5321 § 4.2.1). No I/O.

use bytes::BytesMut;
use memchr::memchr;

use crate::sasl::MAX_LINE;

/// Longest line of a reply, and longest reply, that is believed to be one. A challenge may be as long as an answer to it.
const LONGEST_LINE: usize = MAX_LINE + 16;
const LONGEST: usize = 64 * 1024;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code, 200 to 599.
    pub code: u16,
    /// All of its lines as they came.
    pub raw: BytesMut,
}

/// Bytes that are no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Reply {
    /// Takes the next reply from the buffer; `None` while it is not whole.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for lines without a code, with changing codes, with control characters, or without end.
    pub fn take(buffer: &mut BytesMut) -> Result<Option<Self>, Malformed> {
        let (mut start, mut code) = (0, None);
        loop {
            let rest = &buffer[start..];
            let Some(end) = memchr(b'\n', &rest[..rest.len().min(LONGEST_LINE)]) else {
                let endless = rest.len() >= LONGEST_LINE || buffer.len() > LONGEST;
                return if endless { Err(Malformed) } else { Ok(None) };
            };
            let line = rest[..end].strip_suffix(b"\r").ok_or(Malformed)?;
            let (its_code, more) = read_line(line).ok_or(Malformed)?;
            if *code.get_or_insert(its_code) != its_code {
                return Err(Malformed);
            }
            start += end + 1;
            if !more {
                return Ok(Some(Reply {
                    code: its_code,
                    raw: buffer.split_to(start),
                }));
            }
        }
    }

    /// Whether it says yes.
    pub fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The texts of its lines.
    pub fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let raw: &[u8] = &self.raw;
        let lines = raw
            .split(|b: &u8| *b == b'\n')
            .filter(|line| !line.is_empty());
        lines.map(|line| line.get(4..).unwrap_or_default().trim_ascii_end())
    }

    /// All texts in one, for the log.
    pub fn text(&self) -> String {
        let texts: Vec<_> = self.texts().map(crate::backend::words).collect();
        texts.join(" ")
    }
}

/// The code of a line, and whether more lines follow.
fn read_line(line: &[u8]) -> Option<(u16, bool)> {
    let (digits, rest) = line.split_at_checked(3)?;
    // Without a way out in the middle it is done for many bytes at once.
    let control = rest.iter().fold(false, |any, b| {
        any | (*b < b' ' && *b != b'\t') | (*b == 0x7f)
    });
    if control || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits
        .iter()
        .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let more = match rest.first() {
        Some(b'-') => true,
        Some(b' ') | None => false,
        Some(_) => return None,
    };
    (200..600).contains(&code).then_some((code, more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take(bytes: &[u8]) -> Result<Option<(u16, usize)>, Malformed> {
        let mut buffer = BytesMut::from(bytes);
        Ok(Reply::take(&mut buffer)?.map(|reply| (reply.code, reply.raw.len())))
    }

    #[test]
    fn a_reply_may_have_several_lines() {
        assert_eq!(take(b"250-a\r\n250 b\r\nrest"), Ok(Some((250, 14))));
        assert_eq!(take(b"250-a\r\n250"), Ok(None));
        assert_eq!(take(b"354\r\n"), Ok(Some((354, 5))));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bad in [
            &b"hello\r\n"[..],
            b"250-a\r\n251 b\r\n",
            b"250_a\r\n",
            b"100 x\r\n",
            b"250 a\rb\r\n",
        ] {
            assert_eq!(take(bad), Err(Malformed), "{bad:?}");
        }
        assert_eq!(take(&[b'2'; LONGEST_LINE]), Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = take(&bytes);
        }
    }
}
