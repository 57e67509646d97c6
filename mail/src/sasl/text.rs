//! What every mechanism asks of its texts: strict base64, bounded lines, names that cannot break out of a line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Longest line of an exchange in bytes, without CRLF (RFC 4954 § 4.6 asks for 12288).
pub const MAX_LINE: usize = 12_288;

/// Longest user name in bytes.
pub const MAX_USER: usize = 512;

/// Why an exchange ended without credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The client sent `*`.
    #[error("the client gave up the exchange")]
    Cancelled,
    /// A line that is not canonical base64 (RFC 4648 § 4, padded, no stray bits).
    #[error("a line of the exchange is not base64")]
    BadBase64,
    /// A line beyond [`MAX_LINE`].
    #[error("a line of the exchange is longer than {MAX_LINE} bytes")]
    TooLong,
    /// A message that is not of the mechanism's form, or a name or password with forbidden characters.
    #[error("a message of the exchange is not of the mechanism's form")]
    Malformed,
    /// An identity to act for that the rules do not allow.
    #[error("the client asked to act for somebody else")]
    OtherIdentity,
}

/// Decodes one line of a client's.
pub(super) fn decode(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if line.len() > MAX_LINE {
        return Err(Failure::TooLong);
    }
    let decoded = STANDARD.decode(line).map_err(|_| Failure::BadBase64)?;
    Ok(Zeroizing::new(decoded))
}

/// Checks a line of an exchange that somebody else reads: it must be base64 as here, or empty.
///
/// # Errors
///
/// [`Failure::BadBase64`], [`Failure::TooLong`]; [`Failure::Cancelled`] for `*`.
pub fn check_line(line: &[u8]) -> Result<(), Failure> {
    match line {
        b"*" => Err(Failure::Cancelled),
        _ => decode(line).map(drop),
    }
}

/// Encodes a message for the client.
pub(super) fn encode(message: &[u8]) -> String {
    STANDARD.encode(message)
}

/// A user name: UTF-8, not empty, at most [`MAX_USER`] bytes, without control characters. What goes into a log, a
/// header or a command can then not end it.
pub(super) fn user_name(bytes: &[u8]) -> Result<String, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::Malformed)?;
    if text.is_empty() || text.len() > MAX_USER || text.chars().any(char::is_control) {
        return Err(Failure::Malformed);
    }
    Ok(text.to_owned())
}

/// A password: any bytes but NUL, CR and LF, which no backend's command can carry (RFC 4616 § 2 forbids NUL).
pub(super) fn check_password(bytes: &[u8]) -> Result<(), Failure> {
    let forbidden = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n');
    match bytes.iter().any(forbidden) {
        true => Err(Failure::Malformed),
        false => Ok(()),
    }
}

/// The 32 lower-case hexadecimal digits of an MD5 digest.
pub(super) fn check_hex_digest(bytes: &[u8]) -> Result<(), Failure> {
    let digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match bytes.len() == 32 && bytes.iter().all(digit) {
        true => Ok(()),
        false => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64_is_decoded() {
        assert_eq!(decode(b"AGEAYg==").expect("decoded").as_slice(), b"\0a\0b");
        assert_eq!(decode(b"").expect("decoded").as_slice(), b"");
        for bad in [
            "AGEAYg",
            "AGEAYg=",
            "AGEAYh==",
            "AGEA Yg==",
            "AGEAYg==\r",
            "=",
            "*",
            "AG_A",
        ] {
            assert_eq!(decode(bad.as_bytes()), Err(Failure::BadBase64), "{bad}");
        }
        assert_eq!(decode(&[b'A'; MAX_LINE + 4]), Err(Failure::TooLong));
        assert!(decode(&[b'A'; MAX_LINE]).is_ok());
    }

    #[test]
    fn names_that_could_break_out_are_refused() {
        for bad in [
            &b""[..],
            b"a\0b",
            b"a\r\nb",
            b"a\x7f",
            b"\xff",
            "a\u{85}".as_bytes(),
            &[b'a'; 513],
        ] {
            assert_eq!(user_name(bad), Err(Failure::Malformed), "{bad:?}");
        }
        assert_eq!(
            user_name("张三@例子.cn".as_bytes()).as_deref(),
            Ok("张三@例子.cn")
        );
        assert_eq!(
            user_name(b"DOMAIN\\user name").as_deref(),
            Ok("DOMAIN\\user name")
        );
    }
}
