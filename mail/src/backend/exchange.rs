//! A login that only client and server understand: what the server asks is for the client, and its answers are for the
//! server. They are lines of base64; what is in them is nobody's business here.

use std::time::Duration;

use alb_conf::MailProtocol;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Backend, Failed, Proof, Visit, imap, late, pop3, smtp};
use crate::sasl;

/// Most challenges of one login: SCRAM has two, NTLM one, GSSAPI two or three.
const MOST_ROUNDS: u32 = 10;

/// How far a login has come.
pub enum Step {
    /// The server has taken it.
    In(Box<Backend>),
    /// The server asks the client something.
    Asks(Box<Pending>),
}

/// A server that waits for an answer of the client's.
pub struct Pending {
    backend: Backend,
    protocol: MailProtocol,
    challenge: Challenge,
    patience: Duration,
    rounds: u32,
}

/// What a server asks: base64, as it stood in its line.
pub(super) type Challenge = Vec<u8>;

/// What a server says to a step of a login: nothing more is wanted, or this is to be answered.
pub(super) type Said = Option<Challenge>;

impl Step {
    /// After the first answer of a server. Only what the client itself has begun is asked of it.
    pub(super) fn first(said: Said, backend: Backend, visit: &Visit<'_>) -> Result<Self, Failed> {
        let pending = Pending {
            backend,
            protocol: visit.service.protocol,
            challenge: Challenge::new(),
            patience: *visit.service.settings.timeouts.server,
            rounds: 0,
        };
        match visit.proof {
            Proof::Message(..) => pending.next(said),
            Proof::Password(_) | Proof::None if said.is_some() => Err(Failed::Unavailable(
                "the server asks for more than a password".to_owned(),
            )),
            Proof::Password(_) | Proof::None => pending.next(None),
        }
    }
}

impl Pending {
    /// What the server asks.
    pub fn challenge(&self) -> &[u8] {
        &self.challenge
    }

    /// Gives the server the client's answer, a line of base64 without its end.
    ///
    /// # Errors
    ///
    /// The server refuses the login, asks without end, or is silent for too long.
    pub async fn answer(mut self, line: &[u8]) -> Result<Step, Failed> {
        let line = line_of(line);
        let Backend { wire, welcome, .. } = &mut self.backend;
        let saying = async {
            wire.send(&line).await.map_err(Failed::unreachable)?;
            match self.protocol {
                MailProtocol::Imap => imap::said(wire, welcome).await,
                MailProtocol::Pop3 => pop3::said(wire, welcome).await,
                MailProtocol::Smtp => smtp::said(wire).await,
            }
        };
        let slow = || Failed::unreachable("the server did not answer in time");
        let said = timeout(self.patience, saying).await;
        let said = said.unwrap_or_else(|_| Err(slow())).map_err(late)?;
        self.next(said)
    }

    fn next(mut self, said: Said) -> Result<Step, Failed> {
        let Some(challenge) = said else {
            return Ok(Step::In(Box::new(self.backend)));
        };
        self.rounds += 1;
        if self.rounds > MOST_ROUNDS || sasl::check_line(&challenge).is_err() {
            return Err(Failed::Unavailable(
                "the server asks without end, or what no mechanism does".to_owned(),
            ));
        }
        self.challenge = challenge;
        Ok(Step::Asks(Box::new(self)))
    }
}

/// A line with its end.
pub(super) fn line_of(text: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([text, b"\r\n"].concat())
}

/// The first message as it stands in the command: `=` is an empty one (RFC 4954 § 4, RFC 4959 § 3).
pub(super) fn initial(message: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(match message {
        b"" => "=".to_owned(),
        message => STANDARD.encode(message),
    })
}
