//! The names in NTLM messages (MS-NLMP 2.2.1), for routing and for the audit line. The exchange itself is the backend's.

use super::text::{Failure, decode, user_name};

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// NTLMSSP_NEGOTIATE_UNICODE.
const UNICODE: u32 = 1;
/// NTLMSSP_NEGOTIATE_OEM_DOMAIN_SUPPLIED.
const DOMAIN: u32 = 0x1000;

/// The domain in the client's first message (NEGOTIATE, type 1), if it gives one.
pub(super) fn domain(message: &[u8]) -> Result<Option<String>, Failure> {
    match (kind(message), u32_at(message, 12)) {
        (Some(1), Some(flags)) if flags & DOMAIN != 0 => {
            // MS-NLMP 2.2.1.1: never in UTF-16.
            let name = field(message, 16, 0)?;
            user_name(name.as_bytes()).map(Some)
        }
        (Some(1), Some(_)) => Ok(None),
        _ => Err(Failure::Malformed),
    }
}

/// The user in the client's last message (AUTHENTICATE, type 3), as `DOMAIN\user`, or `user` without a domain.
pub fn user(message: &[u8]) -> Result<String, Failure> {
    if kind(message) != Some(3) {
        return Err(Failure::Malformed);
    }
    let flags = u32_at(message, 60).ok_or(Failure::Malformed)?;
    let domain = field(message, 28, flags)?;
    let user = field(message, 36, flags)?;
    let whole = match domain.is_empty() {
        true => user,
        false => format!("{domain}\\{user}"),
    };
    user_name(whole.as_bytes())
}

/// The same, from a line of base64; `None` for anything else.
pub fn user_in_line(line: &[u8]) -> Option<String> {
    user(&decode(line).ok()?).ok()
}

fn kind(message: &[u8]) -> Option<u32> {
    message
        .starts_with(SIGNATURE)
        .then(|| u32_at(message, SIGNATURE.len()))?
}

/// A text whose length and offset stand at `at`.
fn field(message: &[u8], at: usize, flags: u32) -> Result<String, Failure> {
    let length = message.get(at..at + 2).ok_or(Failure::Malformed)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    let start = u32_at(message, at + 4).ok_or(Failure::Malformed)? as usize;
    let end = start.checked_add(length).ok_or(Failure::Malformed)?;
    let bytes = message.get(start..end).ok_or(Failure::Malformed)?;
    if flags & UNICODE == 0 {
        return Ok(String::from_utf8_lossy(bytes).into_owned());
    }
    let (units, rest) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text),
        _ => Err(Failure::Malformed),
    }
}

fn u32_at(message: &[u8], at: usize) -> Option<u32> {
    let bytes = message.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An AUTHENTICATE message with the fields of MS-NLMP 4.2.1 (`Domain`, `User`).
    fn authenticate(domain: &str, user: &str) -> Vec<u8> {
        let utf16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let (domain, user) = (utf16(domain), utf16(user));
        let mut message = [SIGNATURE, &3u32.to_le_bytes()].concat();
        let mut offset = 64u32;
        for length in [0, 0, domain.len(), user.len(), 0, 0] {
            let length = length as u16;
            message.extend_from_slice(&length.to_le_bytes());
            message.extend_from_slice(&length.to_le_bytes());
            message.extend_from_slice(&offset.to_le_bytes());
            offset += u32::from(length);
        }
        message.extend_from_slice(&0xe288_8215u32.to_le_bytes());
        [message, domain, user].concat()
    }

    #[test]
    fn the_user_is_read_with_the_domain() {
        assert_eq!(
            user(&authenticate("Domain", "User")).as_deref(),
            Ok("Domain\\User")
        );
        assert_eq!(user(&authenticate("", "张三")).as_deref(), Ok("张三"));
    }

    #[test]
    fn a_message_cut_anywhere_is_refused() {
        let whole = authenticate("Domain", "User");
        for end in 0..whole.len() {
            assert_eq!(user(&whole[..end]), Err(Failure::Malformed), "{end}");
        }
        assert_eq!(domain(&whole), Err(Failure::Malformed));
    }

    #[test]
    fn the_domain_is_read_where_the_first_message_has_one() {
        let without = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2";
        assert_eq!(domain(without), Ok(None));
        let with = b"NTLMSSP\0\x01\0\0\0\x07\x92\x08\xa2\x04\0\x04\0\x20\0\0\0\0\0\0\0\0\0\0\0CORP";
        assert_eq!(domain(with), Ok(Some("CORP".to_owned())));
        for end in 0..with.len() {
            assert!(domain(&with[..end]).is_err(), "{end}");
        }
    }
}
