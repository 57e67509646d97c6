//! StartTLS (RFC 4511 § 4.14), spoken by hand before ldap3 sees the connection.

use alb_core::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// ExtendedRequest 1.3.6.1.4.1.1466.20037, message 1.
const REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// Longest answer, in bytes; servers add some words.
const MAX_ANSWER: usize = 2048;

/// Asks for TLS. The socket comes back for the handshake; not a byte beyond the answer has been read from it.
pub async fn ask(mut socket: Socket) -> Result<Socket, String> {
    let failed = |error: std::io::Error| error.to_string();
    socket.write_all(REQUEST).await.map_err(failed)?;
    let mut answer = vec![0; 2];
    socket.read_exact(&mut answer).await.map_err(failed)?;
    while let Missing::Bytes(count) = missing(&answer)? {
        let start = answer.len();
        answer.resize(start + count, 0);
        socket
            .read_exact(&mut answer[start..])
            .await
            .map_err(failed)?;
    }
    Ok(socket)
}

#[derive(Debug, PartialEq, Eq)]
enum Missing {
    /// So many more bytes are certain to belong to the answer.
    Bytes(usize),
    /// It is whole, and says yes.
    Nothing,
}

/// How much of the answer is missing, given at least its first two bytes.
fn missing(answer: &[u8]) -> Result<Missing, String> {
    let odd = || "it answered StartTLS with something that is not LDAP".to_owned();
    let (header, length) = match answer {
        [0x30, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [0x30, 0x81] => return Ok(Missing::Bytes(1)),
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        [0x30, 0x82] => return Ok(Missing::Bytes(2)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        // Active Directory writes lengths in four bytes.
        [0x30, 0x84] => return Ok(Missing::Bytes(4)),
        [0x30, 0x84, 0, 0, high, low, ..] => (6, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return Err(odd()),
    };
    if length > MAX_ANSWER {
        return Err(odd());
    }
    match (header + length).checked_sub(answer.len()) {
        Some(0) => {}
        Some(count) => return Ok(Missing::Bytes(count)),
        None => return Err(odd()),
    }
    // messageID 1, ExtendedResponse, and the resultCode at its beginning.
    let body = answer[header..]
        .strip_prefix(&[2, 1, 1, 0x78])
        .ok_or_else(odd)?;
    let skip = match body.first() {
        Some(0..=0x7f) => 1,
        Some(0x81) => 2,
        Some(0x82) => 3,
        Some(0x84) => 5,
        _ => return Err(odd()),
    };
    match body.get(skip..skip + 3) {
        Some([0x0a, 1, 0]) => Ok(Missing::Nothing),
        Some([0x0a, 1, code]) => Err(format!("it refused StartTLS with result {code}")),
        _ => Err(odd()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What OpenLDAP answers.
    const YES: &[u8] = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    /// The same with lengths in four bytes, as Active Directory writes them.
    const LONG: &[u8] =
        b"\x30\x84\0\0\0\x10\x02\x01\x01\x78\x84\0\0\0\x07\x0a\x01\x00\x04\x00\x04\x00";

    #[test]
    fn an_answer_is_read_to_its_last_byte() {
        for answer in [YES, LONG] {
            assert_eq!(missing(answer), Ok(Missing::Nothing));
            for end in 2..answer.len() {
                let Ok(Missing::Bytes(count)) = missing(&answer[..end]) else {
                    // The first two bytes of a length in four come together.
                    assert!(answer == LONG && (3..6).contains(&end), "{end}");
                    continue;
                };
                assert!(count > 0 && end + count <= answer.len());
            }
        }
    }

    #[test]
    fn a_refusal_is_no_yes() {
        let mut no = YES.to_vec();
        no[9] = 52;
        assert!(missing(&no).is_err());
        assert!(missing(b"HTTP/1.1 400").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 2..40)) {
            let _ = missing(&bytes);
        }
    }
}
