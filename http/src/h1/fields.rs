//! Field lines, and what they say about the framing of their message (RFC 9112 §5, §6).

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use memchr::memchr;

use super::Malformed;
use super::authority::is_host;
use super::head::Framing;

/// What was met while the field lines were read: saves looking it up.
#[derive(Default)]
pub(super) struct Fields {
    pub hosts: usize,
    /// The last `Host` can be one.
    pub host_valid: bool,
    lengths: usize,
    /// The last `Content-Length`, if it is one.
    length: Option<u64>,
    encodings: usize,
    /// The last `Transfer-Encoding` is `chunked` alone.
    chunked: bool,
    connection: bool,
    /// `Expect: 100-continue`.
    pub expects_continue: bool,
}

impl Fields {
    /// Parses field lines from `start` to the empty line. `room` is for how many fields memory is taken: those that are
    /// expected, and those that will be added.
    pub fn parse(
        &mut self,
        head: &Bytes,
        start: usize,
        room: usize,
    ) -> Result<HeaderMap, Malformed> {
        let mut headers = HeaderMap::with_capacity(room);
        let mut at = start;
        while head.get(at) != Some(&b'\r') {
            let end = at + memchr(b'\r', &head[at..]).ok_or(Malformed::BareLf)?;
            if head.get(end + 1) != Some(&b'\n') {
                return Err(Malformed::BareCr);
            }
            let (name, value) = field_line(head, at, end)?;
            self.note(&name, value.as_bytes());
            headers
                .try_append(name, value)
                .map_err(|_| Malformed::TooManyHeaders)?;
            at = end + 2;
        }
        if head.get(at + 1) == Some(&b'\n') {
            Ok(headers)
        } else {
            Err(Malformed::BareCr)
        }
    }

    fn note(&mut self, name: &HeaderName, value: &[u8]) {
        match *name {
            HOST => {
                self.hosts += 1;
                self.host_valid = is_host(value);
            }
            CONTENT_LENGTH => {
                self.lengths += 1;
                self.length = content_length(value);
            }
            TRANSFER_ENCODING => {
                self.encodings += 1;
                self.chunked = value.eq_ignore_ascii_case(b"chunked");
            }
            CONNECTION => self.connection = true,
            EXPECT => self.expects_continue |= value.eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
    }

    /// What the head declares, if it declares anything (RFC 9112 §6.3, with every ambiguity refused).
    pub fn framing(&self, version: Version) -> Result<Option<Framing>, Malformed> {
        match (self.lengths, self.encodings) {
            (0, 0) => Ok(None),
            (1, 0) => match self.length {
                Some(length) => Ok(Some(Framing::Length(length))),
                None => Err(Malformed::LengthInvalid),
            },
            (_, 0) => Err(Malformed::LengthRepeated),
            (0, _) if version == Version::HTTP_10 => Err(Malformed::EncodingInOld),
            (0, 1) if self.chunked => Ok(Some(Framing::Chunked)),
            (0, _) => Err(Malformed::Encoding),
            _ => Err(Malformed::LengthAndEncoding),
        }
    }

    /// Whether the sender lets the connection live on (RFC 9112 §9.3).
    pub fn keep_alive(&self, headers: &HeaderMap, version: Version) -> bool {
        let says = |token: &[u8]| {
            self.connection
                && headers
                    .get_all(CONNECTION)
                    .iter()
                    .flat_map(|v| members(v.as_bytes()))
                    .any(|m| m.eq_ignore_ascii_case(token))
        };
        match version {
            Version::HTTP_10 => says(b"keep-alive") && !says(b"close"),
            _ => !says(b"close"),
        }
    }
}

fn field_line(
    head: &Bytes,
    start: usize,
    end: usize,
) -> Result<(HeaderName, HeaderValue), Malformed> {
    let line = &head[start..end];
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Malformed::Folded);
    }
    let colon = memchr(b':', line).ok_or(Malformed::HeaderName)?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Malformed::HeaderName)?;
    let value = &line[colon + 1..];
    let left = value
        .iter()
        .position(|b| !matches!(b, b' ' | b'\t'))
        .unwrap_or(value.len());
    let right = value
        .iter()
        .rposition(|b| !matches!(b, b' ' | b'\t'))
        .map_or(left, |last| last + 1);
    let from = start + colon + 1;
    let value = HeaderValue::from_maybe_shared(head.slice(from + left..from + right))
        .map_err(|_| Malformed::HeaderValue)?;
    Ok((name, value))
}

fn content_length(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |n, d| n * 10 + u64::from(d - b'0')))
}

/// Parses the field lines of a trailer section (RFC 9112 §7.1.2), the empty line included.
pub fn parse_trailers(section: &Bytes) -> Result<HeaderMap, Malformed> {
    Fields::default().parse(section, 0, 4)
}

/// Splits a list header into its members, without surrounding whitespace and empty members.
pub fn members(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|b| *b == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|m| !m.is_empty())
}
