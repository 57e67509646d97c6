//! An IMAP session: greeting, commands before login, and then the relay.

use std::cell::Cell;

use alb_conf::MailProtocol;
use zeroize::Zeroizing;

use super::command::{Command, Pairs, parse};
use super::{Assembler, Progress};
use crate::backend::{self, Backend};
use crate::client::{Client, Stop};
use crate::dialogue::{self, Dialogue};
use crate::login::{self, Asked, Outcome};
use crate::promised::Promised;
use crate::proving;
use crate::refused::Refused;
use crate::sasl::{Credentials, Failure, Mechanism};

/// What may be offered of what every server has.
pub const PASSED_ON: [&str; 3] = ["LITERAL+", "ENABLE", "IDLE"];

/// What the gateway itself can do before login.
const OWN: &str = "IMAP4rev1 SASL-IR ID";

/// A session before login.
#[derive(Default)]
struct Session {
    assembler: Assembler,
    id: Pairs,
    promised: Promised,
}

type Next = dialogue::Next<Box<Backend>>;

/// Serves a client from the greeting to its login; `None` if the session has ended before.
pub async fn log_in(client: Box<Client>) -> Option<(Box<Client>, Box<Backend>)> {
    let (client, _, backend) = dialogue::until_login::<Session>(client).await?;
    Some((client, backend))
}

impl Dialogue for Session {
    type Login = Box<Backend>;

    fn new(_: &Client) -> Self {
        Session::default()
    }

    async fn greet(&mut self, client: &mut Client) -> Result<(), Stop> {
        let service = &client.service;
        let servers = backend::offers(service).await;
        self.promised = client.worker.promises.with(service, &servers);
        let greeting = format!(
            "* OK [CAPABILITY {}] {} ready\r\n",
            self.capabilities(client),
            service.hostname
        );
        client.send(greeting).await
    }

    async fn step(&mut self, client: &mut Client) -> Result<Next, Stop> {
        let pieces = match self.assembler.advance(&mut client.wire.buffer) {
            Progress::Whole(pieces) => pieces,
            Progress::More => {
                client.more().await?;
                return Ok(Next::Command);
            }
            Progress::GoAhead if self.assembler.is_login() && !client.may_log_in() => {
                // A password must not be asked for that anybody could read.
                let tag = self.assembler.give_up();
                client.send(privacy_required(&tag)).await?;
                return Ok(Next::Command);
            }
            Progress::GoAhead => {
                client.send("+ OK\r\n").await?;
                return Ok(Next::Command);
            }
            Progress::Fault(fault) => {
                client
                    .send(format!("{} BAD {}\r\n", fault.tag, fault.text))
                    .await?;
                client.mistake()?;
                return match fault.close {
                    true => Err(Stop::Violation("untrusted_input")),
                    false => Ok(Next::Command),
                };
            }
        };
        let (tag, command) = parse(&pieces);
        drop(pieces);
        self.answer(client, &tag.unwrap_or_else(|| "*".to_owned()), command)
            .await
    }

    fn protected(self, _: &Client) -> Self {
        Session {
            promised: self.promised,
            ..Session::default()
        }
    }

    fn farewell(stop: &Stop) -> &'static str {
        match stop {
            Stop::Idle => "* BYE Disconnected for inactivity\r\n",
            Stop::TooLong | Stop::Violation(_) => "* BYE Input cannot be understood\r\n",
            Stop::Draining => "* BYE [UNAVAILABLE] Server is shutting down, try again later\r\n",
            Stop::TooManyErrors => "* BYE Too many invalid commands\r\n",
            Stop::TooManyFailures => "* BYE Too many failed logins\r\n",
            Stop::LockedOut => Refused::LockedOut.words(MailProtocol::Imap),
            // The others have left, or have been told.
            _ => "",
        }
    }
}

impl Session {
    /// What is offered on the connection as it is now.
    fn capabilities(&self, client: &Client) -> String {
        let mut list = OWN.to_owned();
        let mut add = |word: &str| {
            list.push(' ');
            list += word;
        };
        self.promised.offers.iter().for_each(&mut add);
        if client.may_upgrade() {
            add("STARTTLS");
        }
        if !client.takes_passwords() {
            add("LOGINDISABLED");
        }
        for name in self.promised.offered(client).split_whitespace() {
            add(&["AUTH=", name].concat());
        }
        list
    }

    async fn answer(
        &mut self,
        client: &mut Client,
        tag: &str,
        command: Command,
    ) -> Result<Next, Stop> {
        let reply = match command {
            Command::Capability => {
                format!(
                    "* CAPABILITY {}\r\n{tag} OK Capability completed\r\n",
                    self.capabilities(client)
                )
            }
            Command::Noop => format!("{tag} OK NOOP completed\r\n"),
            Command::Logout => {
                client
                    .send(format!(
                        "* BYE Logging out\r\n{tag} OK Logout completed\r\n"
                    ))
                    .await?;
                return Err(Stop::Quit);
            }
            Command::Id(pairs) => {
                self.id = pairs;
                format!("* ID (\"name\" \"alb\")\r\n{tag} OK ID completed\r\n")
            }
            Command::Starttls if client.may_upgrade() => {
                return Ok(Next::Upgrade(format!(
                    "{tag} OK Begin TLS negotiation now\r\n"
                )));
            }
            Command::Login(..) | Command::Authenticate(..) if !client.may_log_in() => {
                privacy_required(tag)
            }
            Command::Login(..) if !client.takes_passwords() => {
                format!("{tag} NO LOGIN is disabled, use AUTHENTICATE\r\n")
            }
            Command::Login(user, password) => {
                return match Credentials::password(&user, &password) {
                    Ok(credentials) => self.log_in(client, tag, "LOGIN", &credentials).await,
                    Err(_) => bad(client, tag, "Invalid name or password").await,
                };
            }
            Command::Authenticate(name, initial) => {
                return self.authenticate(client, tag, &name, initial).await;
            }
            Command::Starttls => return bad(client, tag, "STARTTLS is not possible here").await,
            Command::Unknown => {
                return bad(client, tag, "Unknown command, or not before login").await;
            }
            Command::Malformed => return bad(client, tag, "Malformed command").await,
        };
        client.send(reply).await?;
        Ok(Next::Command)
    }

    async fn authenticate(
        &mut self,
        client: &mut Client,
        tag: &str,
        name: &[u8],
        initial: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Next, Stop> {
        let offered = Mechanism::from_name(name).filter(|m| self.promised.mechanisms.contains(*m));
        let Some(mechanism) = offered else {
            client
                .send(format!("{tag} NO Unsupported mechanism\r\n"))
                .await?;
            client.mistake()?;
            return Ok(Next::Command);
        };
        let initial = initial.as_ref().map(|text| text.as_slice());
        match proving::converse(client, mechanism, initial).await? {
            Ok(credentials) => {
                self.log_in(client, tag, mechanism.name(), &credentials)
                    .await
            }
            Err(failure) => broken(client, tag, failure).await,
        }
    }

    async fn log_in(
        &mut self,
        client: &mut Client,
        tag: &str,
        mechanism: &'static str,
        credentials: &Credentials,
    ) -> Result<Next, Stop> {
        let asked = Asked {
            credentials,
            mechanism,
            helo: "",
            id: &self.id,
            before: &[],
            promised: &self.promised.offers,
            shown: Cell::default(),
        };
        match login::log_in(client, &asked).await? {
            Outcome::In(mut backend) => {
                client
                    .send(under_tag(&std::mem::take(&mut backend.welcome), tag))
                    .await?;
                Ok(Next::Login(backend))
            }
            Outcome::Rejected(refusal) => {
                let text = match refusal.text.as_str() {
                    "" => "[AUTHENTICATIONFAILED] Authentication failed".to_owned(),
                    // To another server, past the gateway (RFC 2221).
                    text if starts_with(text, "[REFERRAL") => {
                        "[UNAVAILABLE] The mailbox is elsewhere".to_owned()
                    }
                    text if text.starts_with('[') => text.to_owned(),
                    text => format!("[AUTHENTICATIONFAILED] {text}"),
                };
                client.send(format!("{tag} NO {text}\r\n")).await?;
                client.refused(refusal.close)?;
                Ok(Next::Command)
            }
            Outcome::Broken(failure) => broken(client, tag, failure).await,
            Outcome::Busy => {
                let reply = format!("{tag} NO [LIMIT] Too many sessions of this user\r\n");
                client.send(reply).await?;
                Ok(Next::Command)
            }
            Outcome::Unavailable => {
                client
                    .send(format!(
                        "{tag} NO [UNAVAILABLE] Temporary failure, try again later\r\n"
                    ))
                    .await?;
                Ok(Next::Command)
            }
        }
    }
}

/// The server's lines, with the last one, its tagged answer, under the client's tag.
fn under_tag(welcome: &[u8], tag: &str) -> Vec<u8> {
    let start = welcome
        .windows(2)
        .rposition(|pair| pair == b"\r\n")
        .map_or(0, |at| at + 2);
    let (untagged, status) = welcome.split_at(start);
    [untagged, tag.as_bytes(), b" ", status, b"\r\n"].concat()
}

fn privacy_required(tag: &str) -> String {
    format!("{tag} NO [PRIVACYREQUIRED] Use STARTTLS first\r\n")
}

fn starts_with(text: &str, word: &str) -> bool {
    let start = text.as_bytes().get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
}

/// The client has not gone through with a mechanism.
async fn broken(client: &mut Client, tag: &str, failure: Failure) -> Result<Next, Stop> {
    let text = match failure {
        Failure::Cancelled => "AUTHENTICATE cancelled",
        _ => "Invalid response",
    };
    bad(client, tag, text).await
}

async fn bad(client: &mut Client, tag: &str, text: &str) -> Result<Next, Stop> {
    client.send(format!("{tag} BAD {text}\r\n")).await?;
    client.mistake()?;
    Ok(Next::Command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_goes_out_under_the_clients_tag() {
        assert_eq!(under_tag(b"OK Logged in", "a1"), b"a1 OK Logged in\r\n");
        assert_eq!(
            under_tag(b"* CAPABILITY X\r\nOK in", "a1"),
            b"* CAPABILITY X\r\na1 OK in\r\n"
        );
    }
}
