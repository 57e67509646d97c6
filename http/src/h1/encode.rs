//! Heads and chunks as bytes (RFC 9112 §4, §7.1). Pure; the caller decided what the message says.

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TE};
use http::{HeaderMap, Method, StatusCode};

/// Room for the head of most messages; a larger one makes its own.
pub const ROOM: usize = 512;

/// Fields that a sender adds to a head unless they are there already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    /// `Date`.
    pub date: bool,
    /// `Content-Length`.
    pub content_length: bool,
    /// `Connection`.
    pub connection: bool,
    /// `TE`.
    pub te: bool,
}

/// Appends a request head.
pub fn request_head(
    out: &mut Vec<u8>,
    method: &Method,
    target: &str,
    headers: &HeaderMap,
) -> Present {
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    fields(out, headers)
}

/// Appends a response's status line and fields, without the empty line.
pub fn response_head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) -> Present {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    fields(out, headers)
}

/// Appends header or trailer fields, one line each.
pub fn fields(out: &mut Vec<u8>, headers: &HeaderMap) -> Present {
    let mut present = Present::default();
    for (name, value) in headers {
        match *name {
            DATE => present.date = true,
            CONTENT_LENGTH => present.content_length = true,
            CONNECTION => present.connection = true,
            TE => present.te = true,
            _ => {}
        }
        field(out, name.as_str().as_bytes(), value.as_bytes());
    }
    present
}

/// Appends one field line.
pub fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header of a chunk of `len` bytes; `len` must not be zero, which would end the body.
pub fn chunk_header(out: &mut Vec<u8>, len: usize) {
    debug_assert_ne!(len, 0);
    let digits = (usize::BITS - len.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(len >> (digit * 4)) & 15]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a decimal number.
pub fn decimal(out: &mut Vec<u8>, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends the last chunk with its trailer fields.
pub fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        fields(out, trailers);
    }
    out.extend_from_slice(b"\r\n");
}
