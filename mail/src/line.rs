//! Lines of at most so many bytes, cut from a buffer. No I/O.

use bytes::{Buf, BytesMut};
use memchr::memchr;

/// A line that is longer than allowed. What follows in the buffer may be any part of it: nothing behind it must be
/// taken for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Takes the next line from the buffer, without its CRLF or LF; `None` while its end has not come. `most` counts the
/// bytes with the end of the line.
///
/// # Errors
///
/// [`TooLong`] as soon as more than `most` bytes have come without an end.
pub fn take(buffer: &mut BytesMut, most: usize) -> Result<Option<BytesMut>, TooLong> {
    let window = &buffer[..buffer.len().min(most)];
    let Some(end) = memchr(b'\n', window) else {
        return if buffer.len() >= most {
            Err(TooLong)
        } else {
            Ok(None)
        };
    };
    let mut line = buffer.split_to(end);
    buffer.advance(1);
    if line.last() == Some(&b'\r') {
        line.truncate(end - 1);
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(bytes: &[u8], most: usize) -> (Result<Option<Vec<u8>>, TooLong>, Vec<u8>) {
        let mut buffer = BytesMut::from(bytes);
        let line = take(&mut buffer, most).map(|line| line.map(|l| l.to_vec()));
        (line, buffer.to_vec())
    }

    #[test]
    fn a_line_ends_at_crlf_or_lf() {
        assert_eq!(
            taken(b"NOOP\r\nx", 10),
            (Ok(Some(b"NOOP".to_vec())), b"x".to_vec())
        );
        assert_eq!(
            taken(b"NOOP\nx", 10),
            (Ok(Some(b"NOOP".to_vec())), b"x".to_vec())
        );
        assert_eq!(taken(b"NOOP\r", 10), (Ok(None), b"NOOP\r".to_vec()));
    }

    #[test]
    fn the_limit_counts_the_end_of_the_line() {
        assert_eq!(taken(b"123\r\n", 5).0, Ok(Some(b"123".to_vec())));
        assert_eq!(taken(b"1234\r\n", 5).0, Err(TooLong));
        assert_eq!(taken(b"1234", 5).0, Ok(None));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(text in "[a-c\r\n]{0,60}", cut in 0usize..60) {
            let lines = |parts: &[&[u8]]| {
                let mut buffer = BytesMut::new();
                let mut lines = Vec::new();
                for part in parts {
                    buffer.extend_from_slice(part);
                    while let Ok(Some(line)) = take(&mut buffer, 1000) {
                        lines.push(line.to_vec());
                    }
                }
                lines
            };
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            prop_assert_eq!(lines(&[bytes]), lines(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
