//! XOAUTH2 and OAUTHBEARER (RFC 7628): key/value pairs parted by 0x01, with a bearer token in `auth`.

use super::gs2::head;
use super::text::{Failure, user_name};
use super::{Credentials, Mechanism, Proof};
use crate::secret::Secret;

/// What parts the pairs, `kvsep`.
const SEPARATOR: u8 = 1;

/// Reads `user=NAME ^A auth=Bearer TOKEN ^A ^A`.
pub(super) fn parse_xoauth2(message: &[u8]) -> Result<Credentials, Failure> {
    let user = user_name(only(message, b"user=")?)?;
    credentials(Mechanism::XOauth2, user, message, message)
}

/// Reads `n,a=NAME, ^A host=… ^A port=… ^A auth=Bearer TOKEN ^A ^A`. The name is optional in RFC 7628, but without it
/// nobody knows where the mailbox is.
pub(super) fn parse_oauthbearer(message: &[u8]) -> Result<Credentials, Failure> {
    let (user, rest) = head(message)?;
    let rest = rest.strip_prefix(&[SEPARATOR]).ok_or(Failure::Malformed)?;
    let user = user.ok_or(Failure::Malformed)?;
    credentials(Mechanism::OauthBearer, user, rest, message)
}

fn credentials(
    mechanism: Mechanism,
    user: String,
    fields: &[u8],
    message: &[u8],
) -> Result<Credentials, Failure> {
    let auth = only(fields, b"auth=")?;
    let (scheme, token) = auth.split_at_checked(7).ok_or(Failure::Malformed)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") || !is_token(token) {
        return Err(Failure::Malformed);
    }
    Ok(Credentials {
        user,
        authzid: None,
        proof: Proof::Token {
            mechanism,
            message: Secret::copy_of(message),
        },
    })
}

/// The value of a key. Servers differ over which one counts of two, so there must not be a second one.
fn only<'m>(message: &'m [u8], key: &[u8]) -> Result<&'m [u8], Failure> {
    let mut values = pairs(message)?.filter_map(|pair| pair.strip_prefix(key));
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(Failure::Malformed),
    }
}

/// The pairs of a message, which must end with an empty one.
fn pairs(message: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Failure> {
    let body = message
        .strip_suffix(&[SEPARATOR, SEPARATOR])
        .ok_or(Failure::Malformed)?;
    Ok(body.split(|byte| *byte == SEPARATOR))
}

/// RFC 6750 § 2.1, `b64token`.
fn is_token(token: &[u8]) -> bool {
    let body = token.trim_ascii_end();
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    !body.is_empty() && body.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        // The examples of Google's documentation and of RFC 7628 § 4.1.
        let x = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01";
        let read = parse_xoauth2(x).expect("credentials");
        assert_eq!(read.user, "someuser@example.com");
        let o = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let read = parse_oauthbearer(o).expect("credentials");
        assert_eq!(read.user, "user@example.com");
        let Proof::Token { message, mechanism } = read.proof else {
            panic!("no token");
        };
        assert!(message.is(o) && mechanism == Mechanism::OauthBearer);
    }

    #[test]
    fn without_a_name_or_a_token_nothing_is_read() {
        for bad in [
            &b""[..],
            b"user=a\x01auth=Bearer t\x01",
            b"user=a\x01auth=Basic t\x01\x01",
            b"user=a\x01auth=Bearer \x01\x01",
            b"user=a\x01auth=Bearer a b\x01\x01",
            b"user=\x01auth=Bearer t\x01\x01",
            b"auth=Bearer t\x01\x01",
            // Dovecot takes the last, others the first.
            b"user=a\x01user=b\x01auth=Bearer t\x01\x01",
            b"user=a\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        ] {
            assert_eq!(
                parse_xoauth2(bad).err(),
                Some(Failure::Malformed),
                "{bad:?}"
            );
        }
        for bad in [
            &b"n,,\x01auth=Bearer t\x01\x01"[..],
            b"n,a=u,auth=Bearer t\x01\x01",
            b"p=x,a=u,\x01auth=Bearer t\x01\x01",
            b"n,a=u,\x01auth=Bearer t\x01auth=Bearer u\x01\x01",
        ] {
            assert_eq!(
                parse_oauthbearer(bad).err(),
                Some(Failure::Malformed),
                "{bad:?}"
            );
        }
    }
}
