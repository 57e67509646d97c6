//! The challenge of APOP and CRAM-MD5, and what the right answer to it is.

use std::time::SystemTime;

use alb_core::digest::{hmac_md5, md5};

use super::text::{Failure, check_hex_digest, user_name};
use super::{Credentials, Proof};
use crate::secret::Secret;

/// `<random.time@host>`, a message identifier that is never used twice (RFC 1939 § 7, RFC 2195 § 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// A challenge in the name of `host`; `random` must be unpredictable.
    pub fn new(host: &str, now: SystemTime, random: u64) -> Self {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.map_or(0, |time| time.as_secs());
        Challenge(format!("<{random}.{seconds}@{host}>"))
    }

    /// The challenge with its angle brackets, as the greeting shows it and as it is digested.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether an APOP digest is that of the password. False too where MD5 is forbidden.
pub fn apop_matches(challenge: &str, digest: &Secret, password: &[u8]) -> bool {
    md5(&[challenge.as_bytes(), password]).is_some_and(|right| digest.is(hex(&right).as_bytes()))
}

/// Whether a CRAM-MD5 digest is that of the password. False too where MD5 is forbidden.
pub fn cram_md5_matches(challenge: &str, digest: &Secret, password: &[u8]) -> bool {
    hmac_md5(password, challenge.as_bytes()).is_some_and(|right| digest.is(hex(&right).as_bytes()))
}

/// Reads a CRAM-MD5 answer: `name digest`. The name may have spaces; the digest has none.
pub(super) fn parse_cram_md5(
    message: &[u8],
    challenge: &Challenge,
) -> Result<Credentials, Failure> {
    let space = message.iter().rposition(|byte| *byte == b' ');
    let (user, digest) = message.split_at(space.ok_or(Failure::Malformed)?);
    let digest = &digest[1..];
    check_hex_digest(digest)?;
    Ok(Credentials {
        user: user_name(user)?,
        authzid: None,
        proof: Proof::CramMd5 {
            challenge: challenge.0.clone(),
            digest: Secret::copy_of(digest),
        },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_challenge_is_a_message_identifier() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(697_170_952);
        let challenge = Challenge::new("postoffice.reston.mci.net", now, 1896);
        assert_eq!(
            challenge.as_str(),
            "<1896.697170952@postoffice.reston.mci.net>"
        );
    }

    #[test]
    fn the_answers_of_the_standards_are_right() {
        // RFC 1939 § 7.
        let digest = Secret::copy_of(b"c4c9334bac560ecc979e58001b3e22fb");
        let challenge = "<1896.697170952@dbc.mtview.ca.us>";
        assert!(apop_matches(challenge, &digest, b"tanstaaf"));
        assert!(!apop_matches(challenge, &digest, b"tanstaag"));
        // RFC 2195 § 3.
        let digest = Secret::copy_of(b"b913a602c7eda7a495b4e6e7334d3890");
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        assert!(cram_md5_matches(challenge, &digest, b"tanstaaftanstaaf"));
        assert!(!cram_md5_matches(challenge, &digest, b"tanstaaf"));
    }

    #[test]
    fn a_cram_answer_is_name_and_digest() {
        let challenge = Challenge("<1@a>".into());
        let read = parse_cram_md5(b"tim the bear b913a602c7eda7a495b4e6e7334d3890", &challenge);
        assert_eq!(read.expect("credentials").user, "tim the bear");
        for bad in [
            &b"tim"[..],
            b"tim ",
            b"tim B913A602C7EDA7A495B4E6E7334D3890",
            b" b913a602c7eda7a495b4e6e7334d3890",
        ] {
            let read = parse_cram_md5(bad, &challenge);
            assert_eq!(read.err(), Some(Failure::Malformed), "{bad:?}");
        }
    }
}
