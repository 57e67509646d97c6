//! PLAIN (RFC 4616): `[authzid] NUL authcid NUL password`.

use super::text::{Failure, check_password, user_name};
use super::{Credentials, Proof, Rules};
use crate::secret::Secret;

/// Reads the one message of PLAIN.
pub(super) fn parse(message: &[u8], rules: &Rules) -> Result<Credentials, Failure> {
    let mut parts = message.split(|byte| *byte == 0);
    let (Some(authzid), Some(user), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Failure::Malformed);
    };
    check_password(password)?;
    let user = user_name(user)?;
    Ok(Credentials {
        authzid: other_identity(authzid, &user, rules)?,
        user,
        proof: Proof::Password(Secret::copy_of(password)),
    })
}

/// Whom to act for, if it is not the user: refused unless the rules allow it.
pub(super) fn other_identity(
    authzid: &[u8],
    user: &str,
    rules: &Rules,
) -> Result<Option<String>, Failure> {
    if authzid.is_empty() || authzid == user.as_bytes() {
        return Ok(None);
    }
    match rules.allow_authzid {
        true => user_name(authzid).map(Some),
        false => Err(Failure::OtherIdentity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(message: &[u8]) -> Result<Credentials, Failure> {
        parse(message, &Rules::default())
    }

    #[test]
    fn name_and_password_are_read() {
        for message in [
            &b"\0tim\0tanstaaf tanstaaf"[..],
            b"tim\0tim\0tanstaaf tanstaaf",
        ] {
            let read = strict(message).expect("credentials");
            assert_eq!((read.user.as_str(), read.authzid), ("tim", None));
            let Proof::Password(password) = read.proof else {
                panic!("no password");
            };
            assert!(password.is(b"tanstaaf tanstaaf"));
        }
    }

    #[test]
    fn exactly_two_nuls_are_wanted() {
        for message in [
            &b""[..],
            b"tim",
            b"tim\0pw",
            b"\0tim\0p\0w",
            b"\0\0pw",
            b"\0\0",
            b"\0tim\0p\nw",
        ] {
            assert_eq!(
                strict(message).err(),
                Some(Failure::Malformed),
                "{message:?}"
            );
        }
    }

    #[test]
    fn another_identity_needs_permission() {
        assert_eq!(strict(b"root\0tim\0pw").err(), Some(Failure::OtherIdentity));
        let rules = Rules {
            allow_authzid: true,
        };
        let read = parse(b"root\0tim\0pw", &rules).expect("credentials");
        assert_eq!(read.authzid.as_deref(), Some("root"));
        assert_eq!(
            parse(b"ro\not\0tim\0pw", &rules).err(),
            Some(Failure::Malformed)
        );
    }
}
