//! What a client has shown, whichever way it did.

use super::text::{Failure, check_hex_digest, check_password, user_name};
use super::{Challenge, Mechanism};
use crate::secret::Secret;

/// Who a client says it is, and its proof. Wiped when dropped.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name as sent; empty for EXTERNAL without a name, and for mechanisms that show it to the backend only.
    pub user: String,
    /// Whom to act for, where that was asked and is allowed.
    pub authzid: Option<String>,
    /// The proof.
    pub proof: Proof,
}

/// How a client proves itself.
#[derive(Clone, Debug)]
pub enum Proof {
    /// A password: PLAIN, LOGIN, USER and PASS, IMAP's LOGIN command.
    Password(Secret),
    /// A bearer token, as the whole decoded message of its mechanism, which the backend is to get unchanged.
    Token {
        /// XOAUTH2 or OAUTHBEARER.
        mechanism: Mechanism,
        /// The message.
        message: Secret,
    },
    /// APOP: 32 hexadecimal digits of MD5 over challenge and password.
    Apop {
        /// What the greeting said.
        challenge: String,
        /// The digits.
        digest: Secret,
    },
    /// CRAM-MD5: 32 hexadecimal digits of HMAC-MD5.
    CramMd5 {
        /// What was asked.
        challenge: String,
        /// The digits.
        digest: Secret,
    },
    /// EXTERNAL: the certificate of the TLS or TLCP connection.
    Certificate,
    /// An exchange that only the backend can finish, with the client's first message.
    PassThrough {
        /// Which.
        mechanism: Mechanism,
        /// The first message, decoded.
        initial: Secret,
        /// The domain of the user, where it is told at once (NTLM).
        domain: Option<String>,
    },
}

impl Credentials {
    /// Name and password as commands carry them: USER and PASS, IMAP's LOGIN.
    pub fn password(user: &[u8], password: &[u8]) -> Result<Self, Failure> {
        check_password(password)?;
        Ok(Credentials {
            user: user_name(user)?,
            authzid: None,
            proof: Proof::Password(Secret::copy_of(password)),
        })
    }

    /// POP3's `APOP name digest` (RFC 1939 § 7), after a greeting with `challenge`.
    pub fn apop(user: &[u8], digest: &[u8], challenge: &Challenge) -> Result<Self, Failure> {
        check_hex_digest(digest)?;
        Ok(Credentials {
            user: user_name(user)?,
            authzid: None,
            proof: Proof::Apop {
                challenge: challenge.as_str().to_owned(),
                digest: Secret::copy_of(digest),
            },
        })
    }
}
