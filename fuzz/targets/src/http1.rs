//! Any bytes as requests of HTTP/1, one after the other.

use alb_http::h1::Malformed;
use alb_http::h1::decoder::{Decoder, Step};
use alb_http::h1::head::{self, Limits, Scanner};
use bytes::{Bytes, BytesMut};

const LIMITS: Limits = Limits {
    line: 1024,
    size: 4096,
    fields: 32,
};

/// Reads requests until the bytes end or one is refused, once in one piece and once byte by byte: what they say must
/// not depend on how the network cut them. Then as whatever the codec takes, responses too.
pub fn http1(bytes: &[u8]) {
    alb_http::h1::read_hostile(bytes);
    assert_eq!(read_all(bytes, bytes.len().max(1)), read_all(bytes, 1));
}

/// What was read, in words.
fn read_all(bytes: &[u8], step: usize) -> Vec<String> {
    let mut said = Vec::new();
    let mut reader = Reader::new(bytes, step);
    loop {
        match reader.request() {
            Ok(Some(request)) => said.push(request),
            Ok(None) => return said,
            Err(fault) => {
                said.push(format!("{fault:?}"));
                return said;
            }
        }
    }
}

/// Bytes that arrive so many at a time.
struct Reader<'a> {
    buffer: BytesMut,
    coming: std::slice::Chunks<'a, u8>,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], step: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            coming: bytes.chunks(step),
        }
    }

    /// Takes in what comes next; false at the end.
    fn more(&mut self) -> bool {
        match self.coming.next() {
            Some(piece) => {
                self.buffer.extend_from_slice(piece);
                true
            }
            None => false,
        }
    }

    /// The next request with its body; `None` when the bytes end before.
    fn request(&mut self) -> Result<Option<String>, Malformed> {
        let mut scanner = Scanner::default();
        let length = loop {
            match scanner.end(&self.buffer, &LIMITS)? {
                Some(length) => break length,
                None if self.more() => {}
                None => return Ok(None),
            }
        };
        let head: Bytes = self.buffer.split_to(length).freeze();
        let request = head::parse_request(&head, &scanner)?;
        let mut said = format!("{} {} {:?}", request.method, request.uri, request.headers);
        let mut decoder = Decoder::new(request.framing);
        let mut body = Vec::new();
        loop {
            match decoder.step(&mut self.buffer)? {
                Step::Data(data) => body.extend_from_slice(&data),
                Step::Trailers(trailers) => said += &format!(" trailers {trailers:?}"),
                Step::End => return Ok(Some(format!("{said} body {body:?}"))),
                Step::More if self.more() => {}
                Step::More => return Ok(None),
            }
        }
    }
}
