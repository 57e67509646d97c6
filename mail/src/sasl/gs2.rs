//! The head that OAUTHBEARER and SCRAM share (RFC 5801 § 4): `n,a=who,`.

use super::text::{Failure, user_name};

/// Reads the head: whom to act for, and what follows. A channel binding (`p=`) cannot hold: the channel that the client
/// would bind to ends here.
pub(super) fn head(message: &[u8]) -> Result<(Option<String>, &[u8]), Failure> {
    let rest = message
        .strip_prefix(b"n,")
        .or_else(|| message.strip_prefix(b"y,"))
        .ok_or(Failure::Malformed)?;
    let comma = rest.iter().position(|byte| *byte == b',');
    let (authzid, rest) = rest.split_at(comma.ok_or(Failure::Malformed)?);
    let authzid = match authzid {
        b"" => None,
        _ => {
            let name = authzid.strip_prefix(b"a=").ok_or(Failure::Malformed)?;
            Some(saslname(name)?)
        }
    };
    Ok((authzid, &rest[1..]))
}

/// A name in which `,` and `=` are written `=2C` and `=3D` (RFC 5802 § 5.1).
pub(super) fn saslname(escaped: &[u8]) -> Result<String, Failure> {
    let mut name = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let [first, tail @ ..] = rest {
        let (byte, next) = match (first, tail) {
            (b'=', [b'2', b'C', next @ ..]) => (b',', next),
            (b'=', [b'3', b'D', next @ ..]) => (b'=', next),
            (b'=' | b',', _) => return Err(Failure::Malformed),
            (byte, next) => (*byte, next),
        };
        name.push(byte);
        rest = next;
    }
    user_name(&name)
}

/// The user of SCRAM's first message (RFC 5802 § 7): `n=name,r=nonce`. Reserved extensions (`m=`) are refused, as it says.
pub(super) fn scram_user(message: &[u8]) -> Result<(Option<String>, String), Failure> {
    let (authzid, bare) = head(message)?;
    let mut parts = bare.split(|byte| *byte == b',');
    let name = parts.next().and_then(|part| part.strip_prefix(b"n="));
    let nonce = parts.next().and_then(|part| part.strip_prefix(b"r="));
    match (name, nonce) {
        (Some(name), Some(nonce)) if !nonce.is_empty() => Ok((authzid, saslname(name)?)),
        _ => Err(Failure::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_scram_is_read() {
        // RFC 5802 § 5.
        let first = b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL";
        assert_eq!(scram_user(first), Ok((None, "user".into())));
        let first = b"y,a=b=2Cc,n=a=3Db,r=x";
        assert_eq!(scram_user(first), Ok((Some("b,c".into()), "a=b".into())));
    }

    #[test]
    fn bound_channels_and_odd_names_are_refused() {
        for bad in [
            &b"p=tls-unique,,n=u,r=x"[..],
            b"n,,m=1,n=u,r=x",
            b"n,,n=u",
            b"n,,n=u,r=",
            b"n,,n=,r=x",
            b"n,,n=u=2c,r=x",
            b"n,b,n=u,r=x",
            b"n,",
            b"",
        ] {
            assert_eq!(scram_user(bad), Err(Failure::Malformed), "{bad:?}");
        }
    }
}
