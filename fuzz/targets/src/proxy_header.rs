//! Any bytes as the beginning of a connection that should have a PROXY header.

use alb_core::proxy_protocol::parse;

/// Taken, refused, or not yet enough; more bytes never change what has been settled, and what has been read is read
/// again the same after it has been written.
pub fn proxy_header(bytes: &[u8]) {
    let whole = parse(bytes);
    for end in 0..bytes.len().min(512) {
        match parse(&bytes[..end]) {
            Ok(None) => {}
            Ok(Some((header, length))) => {
                assert!(length <= end);
                assert_eq!(whole, Ok(Some((header, length))), "after {end} bytes");
            }
            Err(_) => assert!(whole.is_err(), "refused after {end} bytes only"),
        }
    }
    let Ok(Some((header, _))) = whole else { return };
    let mut written = Vec::new();
    header.write_v2(&mut written);
    let again = parse(&written);
    let Ok(Some((again, length))) = again else {
        panic!("not readable again: {again:?}");
    };
    assert_eq!(length, written.len());
    assert_eq!(again.addresses.is_some(), header.addresses.is_some());
    let mut line = Vec::new();
    header.write_v1(&mut line);
    assert!(matches!(parse(&line), Ok(Some((_, length))) if length == line.len()));
}
