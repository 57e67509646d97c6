//! Properties of the codec that no list of cases can show.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::authority::is_host;
use super::decoder::{Decoder, Step};
use super::head::{Framing, Limits, RequestHead, Scanner, parse_request};
use super::{Malformed, encode};

const LIMITS: Limits = Limits {
    line: 256,
    size: 1024,
    fields: 8,
};

fn parse(bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, Malformed> {
    let mut scanner = Scanner::default();
    let Some(end) = scanner.end(bytes, &LIMITS)? else {
        return Ok(None);
    };
    let head = Bytes::copy_from_slice(&bytes[..end]);
    parse_request(&head, &scanner).map(|head| Some((head, end)))
}

/// Bytes that are nearly a request: what is interesting lies close to what is valid.
fn nearly_a_request() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("GET / HTTP/1.1\r\n".to_owned()),
        Just("POST /x?y HTTP/1.1\r\n".to_owned()),
        Just("Host: a\r\n".to_owned()),
        Just("Content-Length: 3\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just(" x: y\r\n".to_owned()),
        "[ -~\r\n\t]{0,12}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat().into_bytes())
}

fn decode(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    out: &mut Vec<u8>,
) -> Result<bool, Malformed> {
    loop {
        match decoder.step(buffer)? {
            Step::Data(data) => out.extend_from_slice(&data),
            Step::Trailers(_) | Step::End => return Ok(true),
            Step::More => return Ok(false),
        }
    }
}

proptest! {
    #[test]
    fn an_accepted_head_is_unambiguous(bytes in nearly_a_request()) {
        if let Ok(Some((head, end))) = parse(&bytes) {
            let text = &bytes[..end];
            prop_assert!(text.ends_with(b"\r\n\r\n"));
            let mut previous = 0;
            for byte in text {
                prop_assert!((*byte == b'\n') == (previous == b'\r'), "every LF follows a CR, every CR is followed by LF");
                previous = *byte;
            }
            let lengths = head.headers.get_all("content-length").iter().count();
            let codings = head.headers.get_all("transfer-encoding").iter().count();
            prop_assert!(lengths + codings <= 1);
            prop_assert_eq!(head.framing == Framing::Chunked, codings == 1);
            prop_assert!(head.headers.get_all("host").iter().count() <= 1);
        }
    }

    #[test]
    fn cuts_do_not_change_the_verdict(bytes in nearly_a_request(), step in 1usize..7) {
        let whole = Scanner::default().end(&bytes, &LIMITS);
        let mut scanner = Scanner::default();
        let mut verdict = Ok(None);
        for end in (step..bytes.len() + step).step_by(step) {
            verdict = scanner.end(&bytes[..end.min(bytes.len())], &LIMITS);
            if !matches!(verdict, Ok(None)) {
                break;
            }
        }
        prop_assert_eq!(verdict, whole);
    }

    #[test]
    fn chunks_come_out_as_they_went_in(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        cut in 1usize..9,
        rest in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut wire = Vec::new();
        for chunk in &chunks {
            encode::chunk_header(&mut wire, chunk.len());
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        encode::last_chunk(&mut wire, None);
        wire.extend_from_slice(&rest);
        let (mut decoder, mut buffer, mut out) = (Decoder::new(Framing::Chunked), BytesMut::new(), Vec::new());
        for piece in wire.chunks(cut) {
            buffer.extend_from_slice(piece);
            decode(&mut decoder, &mut buffer, &mut out).expect("valid chunks");
        }
        prop_assert!(decoder.is_done());
        prop_assert_eq!(out, chunks.concat());
        prop_assert_eq!(&buffer[..], &rest[..]);
    }

    #[test]
    fn hostile_chunks_never_panic_and_a_fault_is_never_an_end(bytes in "[0-9a-f;\r\nx :]{0,48}") {
        let (mut decoder, mut buffer) = (Decoder::new(Framing::Chunked), BytesMut::from(bytes.as_bytes()));
        if decode(&mut decoder, &mut buffer, &mut Vec::new()).is_err() {
            prop_assert!(!decoder.is_done());
        }
    }

    #[test]
    fn a_length_takes_exactly_its_bytes(length in 0u64..64, bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        let (mut decoder, mut buffer, mut out) = (Decoder::new(Framing::Length(length)), BytesMut::from(&bytes[..]), Vec::new());
        let ended = decode(&mut decoder, &mut buffer, &mut out).expect("no syntax to break");
        prop_assert_eq!(ended, bytes.len() as u64 >= length);
        prop_assert_eq!([&out[..], &buffer[..]].concat(), bytes);
        prop_assert!(out.len() as u64 <= length);
    }

    #[test]
    fn numbers_are_written_as_they_are(n in any::<u64>(), len in 1usize..) {
        let (mut decimal, mut chunk) = (Vec::new(), Vec::new());
        encode::decimal(&mut decimal, n);
        encode::chunk_header(&mut chunk, len);
        prop_assert_eq!(decimal, n.to_string().into_bytes());
        prop_assert_eq!(chunk, format!("{len:x}\r\n").into_bytes());
    }
}

#[test]
fn a_body_that_ends_early_is_truncated_unless_it_ends_with_the_connection() {
    for (framing, verdict) in [
        (Framing::Length(5), Err(Malformed::Truncated)),
        (Framing::Chunked, Err(Malformed::Truncated)),
        (Framing::UntilClose, Ok(())),
        (Framing::None, Ok(())),
    ] {
        assert_eq!(Decoder::new(framing).finish(), verdict);
    }
}

#[test]
fn hosts_are_names_addresses_and_nothing_else() {
    for host in ["a", "a.b:80", "10.0.0.1", "[::1]", "[::1]:443", "x_y-z.~:1"] {
        assert!(is_host(host.as_bytes()), "{host}");
    }
    for host in [
        "", ":80", "a b", "a@b", "a/b", "[::1", "[]", "[x]", "[::1]x", "a:b", "a:123456",
        "a:80:80", "::1",
    ] {
        assert!(!is_host(host.as_bytes()), "{host}");
    }
}
