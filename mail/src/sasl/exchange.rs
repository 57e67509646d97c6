//! One exchange, from the AUTH command to credentials.

use super::text::{Failure, decode, encode, user_name};
use super::{Challenge, Credentials, Mechanism, Proof, bearer, challenge, gs2, ntlm, plain};
use crate::secret::Secret;

/// What a listener allows within an exchange.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Whether a client may ask to act for somebody else, if the backend agrees.
    pub allow_authzid: bool,
}

/// What follows a line of the client's.
#[derive(Debug)]
pub enum Step {
    /// Send this, in base64 already, after `334 ` or `+ `; then hand in the answer.
    Continue(String),
    /// The client has shown all it can show here.
    Done(Credentials),
}

/// An exchange under way. After [`Step::Done`] or a [`Failure`] it is over; whatever comes then is malformed.
#[derive(Debug)]
pub struct Exchange {
    mechanism: Mechanism,
    rules: Rules,
    challenge: Option<Challenge>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Before the client's first message.
    First,
    /// LOGIN, with the name read.
    Password(String),
    Over,
}

/// `Username:` and `Password:`, which clients look for letter by letter.
const USERNAME: &[u8] = b"Username:";
const PASSWORD: &[u8] = b"Password:";

impl Exchange {
    /// An exchange by one mechanism. CRAM-MD5 asks `challenge`, and fails without one.
    pub fn new(mechanism: Mechanism, rules: Rules, challenge: Option<Challenge>) -> Self {
        Exchange {
            mechanism,
            rules,
            challenge,
            state: State::First,
        }
    }

    /// The mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Begins, with the initial response of the AUTH command as it stands there: base64, or `=` for an empty one
    /// (RFC 4954 § 4).
    pub fn begin(&mut self, initial: Option<&[u8]>) -> Result<Step, Failure> {
        match initial {
            None => self.prompt(),
            // RFC 2195: the server speaks first, so there is nothing to answer yet.
            Some(_) if self.mechanism == Mechanism::CramMd5 => self.end(Err(Failure::Malformed)),
            Some(b"=") => self.take(&[]),
            Some(line) => self.take_line(line),
        }
    }

    /// Goes on with a line of the client's, without its CRLF. `*` gives the exchange up.
    pub fn respond(&mut self, line: &[u8]) -> Result<Step, Failure> {
        match line {
            b"*" => self.end(Err(Failure::Cancelled)),
            _ => self.take_line(line),
        }
    }

    /// What is asked when the client has not said anything.
    fn prompt(&mut self) -> Result<Step, Failure> {
        match (self.mechanism, &self.challenge) {
            (Mechanism::Login, _) => Ok(Step::Continue(encode(USERNAME))),
            (Mechanism::CramMd5, Some(challenge)) => {
                Ok(Step::Continue(encode(challenge.as_str().as_bytes())))
            }
            (Mechanism::CramMd5, None) => self.end(Err(Failure::Malformed)),
            _ => Ok(Step::Continue(String::new())),
        }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Step, Failure> {
        match decode(line) {
            Ok(message) => self.take(&message),
            Err(failure) => self.end(Err(failure)),
        }
    }

    fn take(&mut self, message: &[u8]) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First if self.mechanism == Mechanism::Login => {
                self.state = State::Password(user_name(message)?);
                Ok(Step::Continue(encode(PASSWORD)))
            }
            State::First => self.first(message).map(Step::Done),
            State::Password(user) => {
                Credentials::password(user.as_bytes(), message).map(Step::Done)
            }
            State::Over => Err(Failure::Malformed),
        }
    }

    /// Reads the client's one message, or the first of several that the backend will read.
    fn first(&self, message: &[u8]) -> Result<Credentials, Failure> {
        match self.mechanism {
            Mechanism::Plain => plain::parse(message, &self.rules),
            Mechanism::External => external(message),
            Mechanism::XOauth2 => bearer::parse_xoauth2(message),
            Mechanism::OauthBearer => bearer::parse_oauthbearer(message),
            Mechanism::CramMd5 => {
                let challenge = self.challenge.as_ref().ok_or(Failure::Malformed)?;
                challenge::parse_cram_md5(message, challenge)
            }
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => {
                let (authzid, user) = gs2::scram_user(message)?;
                let asked = authzid.unwrap_or_default();
                let authzid = plain::other_identity(asked.as_bytes(), &user, &self.rules)?;
                Ok(self.passed_through(user, authzid, None, message))
            }
            Mechanism::Ntlm => {
                let domain = ntlm::domain(message)?;
                Ok(self.passed_through(String::new(), None, domain, message))
            }
            // LOGIN has been dealt with in `take`.
            Mechanism::Gssapi | Mechanism::Login => {
                Ok(self.passed_through(String::new(), None, None, message))
            }
        }
    }

    fn passed_through(
        &self,
        user: String,
        authzid: Option<String>,
        domain: Option<String>,
        message: &[u8],
    ) -> Credentials {
        let proof = Proof::PassThrough {
            mechanism: self.mechanism,
            initial: Secret::copy_of(message),
            domain,
        };
        Credentials {
            user,
            authzid,
            proof,
        }
    }

    fn end(&mut self, result: Result<Step, Failure>) -> Result<Step, Failure> {
        self.state = State::Over;
        result
    }
}

/// EXTERNAL: the message is whom to be, or empty for whom the certificate names.
fn external(message: &[u8]) -> Result<Credentials, Failure> {
    let user = match message {
        b"" => String::new(),
        name => user_name(name)?,
    };
    Ok(Credentials {
        user,
        authzid: None,
        proof: Proof::Certificate,
    })
}

#[cfg(test)]
mod tests;
