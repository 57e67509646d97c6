//! An IMAP session: greeting, commands before login, and then the relay.

use alb_conf::MailProtocol;
use zeroize::Zeroizing;

use super::command::{Command, Pairs, parse};
use super::{Assembler, Progress};
use crate::backend::{self, Backend};
use crate::capabilities::Offers;
use crate::client::{Client, Stop};
use crate::login::{self, Asked, Outcome};
use crate::refused::Refused;
use crate::sasl::{Credentials, Failure, Mechanism, Mechanisms};

/// What may be offered of what every server has.
const PASSED_ON: [&str; 3] = ["LITERAL+", "ENABLE", "IDLE"];

/// What the gateway itself can do before login.
const OWN: &str = "IMAP4rev1 SASL-IR ID";

/// A session before login.
#[derive(Default)]
struct Session {
    assembler: Assembler,
    id: Pairs,
    promised: Offers,
    mechanisms: Mechanisms,
}

/// What follows a command.
enum Next {
    Command,
    Upgrade(String),
    Relay(Box<Backend>),
}

/// Serves a client from the greeting to its login; `None` if the session has ended before.
pub async fn log_in(mut client: Client) -> Option<(Client, Box<Backend>)> {
    let mut session = Session::default();
    if let Err(stop) = session.greet(&mut client).await {
        client.leave(&stop, farewell(&stop)).await;
        return None;
    }
    loop {
        match session.step(&mut client).await {
            Ok(Next::Command) => {}
            Ok(Next::Upgrade(tag)) => {
                let go_ahead = format!("{tag} OK Begin TLS negotiation now\r\n");
                // Nothing that was said before counts.
                client = Box::pin(client.upgrade(&go_ahead)).await?;
                session = Session {
                    promised: session.promised,
                    mechanisms: session.mechanisms,
                    ..Session::default()
                };
            }
            Ok(Next::Relay(backend)) => return Some((client, backend)),
            Err(stop) => {
                client.leave(&stop, farewell(&stop)).await;
                return None;
            }
        }
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
        Stop::Injection | Stop::Closed | Stop::Quit | Stop::Io(_) | Stop::Handshake => "",
    }
}

impl Session {
    async fn greet(&mut self, client: &mut Client) -> Result<(), Stop> {
        let service = &client.service;
        let pool = backend::offers(service).await;
        self.promised = pool.only(&PASSED_ON);
        self.mechanisms = service.mechanisms_with(&pool);
        let greeting = format!(
            "* OK [CAPABILITY {}] {} ready\r\n",
            self.capabilities(client),
            service.hostname
        );
        client.send(greeting).await
    }

    /// What is offered on the connection as it is now.
    fn capabilities(&self, client: &Client) -> String {
        let mut list = OWN.to_owned();
        let mut add = |word: &str| {
            list.push(' ');
            list += word;
        };
        self.promised.iter().for_each(&mut add);
        if client.may_upgrade() {
            add("STARTTLS");
        }
        if !client.takes_passwords() {
            add("LOGINDISABLED");
        }
        for mechanism in client.service.offered(self.mechanisms, client.is_secure()) {
            add(&format!("AUTH={}", mechanism.name()));
        }
        list
    }

    /// Reads and answers one command.
    async fn step(&mut self, client: &mut Client) -> Result<Next, Stop> {
        let pieces = match self.assembler.advance(&mut client.wire.buffer) {
            Progress::Whole(pieces) => pieces,
            Progress::More => {
                client.more().await?;
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
            Command::Starttls if client.may_upgrade() => return Ok(Next::Upgrade(tag.to_owned())),
            Command::Login(..) | Command::Authenticate(..) if !client.may_log_in() => {
                format!("{tag} NO [PRIVACYREQUIRED] Use STARTTLS first\r\n")
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
        let offered = Mechanism::from_name(name).filter(|m| client.service.mechanisms.contains(*m));
        let Some(mechanism) = offered else {
            client
                .send(format!("{tag} NO Unsupported mechanism\r\n"))
                .await?;
            client.mistake()?;
            return Ok(Next::Command);
        };
        let initial = initial.as_ref().map(|text| text.as_slice());
        match login::converse(client, mechanism, initial).await? {
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
            promised: &self.promised,
        };
        match login::log_in(client, &asked).await? {
            Outcome::In(mut backend) => {
                client
                    .send(under_tag(&std::mem::take(&mut backend.welcome), tag))
                    .await?;
                Ok(Next::Relay(backend))
            }
            Outcome::Rejected(refusal) => {
                let text = match refusal.text.as_str() {
                    "" => "[AUTHENTICATIONFAILED] Authentication failed".to_owned(),
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
