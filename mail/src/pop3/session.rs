//! A POP3 session: greeting, commands before login, and then the relay.

use std::cell::Cell;

use alb_conf::MailProtocol;
use zeroize::Zeroize;

use super::command::{Command, parse};
use crate::backend::{self, Backend};
use crate::client::{Client, Stop};
use crate::dialogue::{self, Dialogue};
use crate::login::{self, Asked, Outcome};
use crate::promised::Promised;
use crate::proving;
use crate::refused::Refused;
use crate::sasl::{Challenge, Credentials, Failure, Mechanism};

/// Longest command with its end (RFC 2449 § 4).
const LONGEST_LINE: usize = 255;

/// What may be offered of what every server has.
pub const PASSED_ON: [&str; 2] = ["UTF8", "LANG"];

/// A session before login.
#[derive(Default)]
struct Session {
    user: Option<Vec<u8>>,
    /// Commands that the server must hear before the login.
    before: Vec<String>,
    promised: Promised,
    /// What the greeting asks of APOP.
    challenge: Option<Challenge>,
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
        let mut greeting = ["+OK ", &service.hostname, " ready"].concat();
        // Behind STLS there is no other greeting, and what was said before it does not count.
        if service.takes_apop() && client.may_log_in() {
            let challenge = proving::challenge(client);
            greeting = format!("{greeting} {}", challenge.as_str());
            self.challenge = Some(challenge);
        }
        client.send(greeting + "\r\n").await
    }

    async fn step(&mut self, client: &mut Client) -> Result<Next, Stop> {
        let mut line = client.line(LONGEST_LINE).await?;
        let next = self.answer(client, &line).await;
        line.as_mut().zeroize();
        next
    }

    fn protected(self, _: &Client) -> Self {
        Session {
            promised: self.promised,
            ..Session::default()
        }
    }

    fn farewell(stop: &Stop) -> &'static str {
        match stop {
            Stop::Idle => "-ERR Disconnected for inactivity\r\n",
            Stop::TooLong | Stop::Violation(_) => "-ERR Input cannot be understood\r\n",
            Stop::Draining => "-ERR [SYS/TEMP] Server is shutting down, try again later\r\n",
            Stop::TooManyErrors => "-ERR Too many invalid commands\r\n",
            Stop::TooManyFailures => "-ERR [AUTH] Too many failed logins\r\n",
            Stop::LockedOut => Refused::LockedOut.words(MailProtocol::Pop3),
            // The others have left, or have been told.
            _ => "",
        }
    }
}

impl Session {
    fn capabilities(&self, client: &Client) -> String {
        let mut list = "+OK Capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n".to_owned();
        let mut add = |line: &str| {
            list += line;
            list += "\r\n";
        };
        self.promised.offers.iter().for_each(&mut add);
        if client.may_upgrade() {
            add("STLS");
        }
        if client.takes_passwords() {
            add("USER");
        }
        match self.promised.offered(client) {
            "" => {}
            names => add(&["SASL ", names].concat()),
        }
        add(".");
        list
    }

    async fn answer(&mut self, client: &mut Client, line: &[u8]) -> Result<Next, Stop> {
        let reply = match parse(line) {
            Command::Capa => self.capabilities(client),
            Command::Stls if client.may_upgrade() => {
                return Ok(Next::Upgrade(
                    "+OK Begin TLS negotiation now\r\n".to_owned(),
                ));
            }
            Command::Noop => "+OK\r\n".to_owned(),
            Command::Quit => {
                client.send("+OK Goodbye\r\n").await?;
                return Err(Stop::Quit);
            }
            Command::User(_) | Command::Pass(_) | Command::Apop(..) | Command::Auth(..)
                if !client.may_log_in() =>
            {
                "-ERR Use STLS first\r\n".to_owned()
            }
            Command::User(_) | Command::Pass(_) if !client.takes_passwords() => {
                "-ERR Use AUTH\r\n".to_owned()
            }
            // Whether the name exists is not told (RFC 1939 § 13).
            Command::User(name) => {
                self.user = Some(name.to_vec());
                "+OK\r\n".to_owned()
            }
            Command::Pass(password) => return self.pass(client, password).await,
            Command::Mechanisms => {
                let names = self.promised.offered(client).split_whitespace();
                let lines: String = names.map(|name| format!("{name}\r\n")).collect();
                format!("+OK\r\n{lines}.\r\n")
            }
            Command::Auth(name, initial) => return self.authenticate(client, name, initial).await,
            Command::Utf8 if self.promised.offers.has("UTF8") => {
                self.before_login("UTF8".to_owned())
            }
            Command::Lang(Some(tag)) if self.promised.offers.has("LANG") => {
                self.before_login(format!("LANG {tag}"))
            }
            Command::Apop(name, digest) if self.challenge.is_some() => {
                return self.apop(client, name, digest).await;
            }
            Command::Stls => return bad(client, "STLS is not possible here").await,
            Command::Apop(..) | Command::Utf8 | Command::Lang(_) | Command::Unknown => {
                return bad(client, "Unknown command, or not before login").await;
            }
            Command::Malformed => return bad(client, "Malformed command").await,
        };
        client.send(reply).await?;
        Ok(Next::Command)
    }

    /// The server hears it at the login; only the last of its kind counts.
    fn before_login(&mut self, command: String) -> String {
        let verb = &command[..4];
        self.before.retain(|earlier| !earlier.starts_with(verb));
        self.before.push(command);
        "+OK\r\n".to_owned()
    }

    async fn pass(&mut self, client: &mut Client, password: &[u8]) -> Result<Next, Stop> {
        let Some(user) = self.user.take() else {
            return bad(client, "USER comes first").await;
        };
        match Credentials::password(&user, password) {
            Ok(credentials) => self.log_in(client, "USER", &credentials).await,
            Err(_) => bad(client, "Invalid name or password").await,
        }
    }

    async fn apop(
        &mut self,
        client: &mut Client,
        name: &[u8],
        digest: &[u8],
    ) -> Result<Next, Stop> {
        let shown = self
            .challenge
            .as_ref()
            .ok_or(Failure::Malformed)
            .and_then(|challenge| Credentials::apop(name, digest, challenge));
        match shown {
            Ok(credentials) => self.log_in(client, "APOP", &credentials).await,
            Err(_) => bad(client, "Invalid name or digest").await,
        }
    }

    async fn authenticate(
        &mut self,
        client: &mut Client,
        name: &[u8],
        initial: Option<&[u8]>,
    ) -> Result<Next, Stop> {
        let offered = Mechanism::from_name(name).filter(|m| self.promised.mechanisms.contains(*m));
        let Some(mechanism) = offered else {
            return bad(client, "Unsupported mechanism").await;
        };
        match proving::converse(client, mechanism, initial).await? {
            Ok(credentials) => self.log_in(client, mechanism.name(), &credentials).await,
            Err(failure) => broken(client, failure).await,
        }
    }

    async fn log_in(
        &mut self,
        client: &mut Client,
        mechanism: &'static str,
        credentials: &Credentials,
    ) -> Result<Next, Stop> {
        let asked = Asked {
            credentials,
            mechanism,
            helo: "",
            id: &[],
            before: &self.before,
            promised: &self.promised.offers,
            shown: Cell::default(),
        };
        match login::log_in(client, &asked).await? {
            Outcome::In(mut backend) => {
                let welcome = std::mem::take(&mut backend.welcome);
                client
                    .send([b"+OK ", &welcome[..], b"\r\n"].concat())
                    .await?;
                Ok(Next::Login(backend))
            }
            Outcome::Rejected(refusal) => {
                let text = match refusal.text.as_str() {
                    "" => "[AUTH] Authentication failed".to_owned(),
                    text if text.starts_with('[') => text.to_owned(),
                    text => format!("[AUTH] {text}"),
                };
                client.send(format!("-ERR {text}\r\n")).await?;
                client.refused(refusal.close)?;
                Ok(Next::Command)
            }
            Outcome::Broken(failure) => broken(client, failure).await,
            Outcome::Busy => {
                client
                    .send("-ERR [IN-USE] Too many sessions of this user\r\n")
                    .await?;
                Ok(Next::Command)
            }
            Outcome::Unavailable => {
                client
                    .send("-ERR [SYS/TEMP] Temporary failure, try again later\r\n")
                    .await?;
                Ok(Next::Command)
            }
        }
    }
}

/// The client has not gone through with a mechanism.
async fn broken(client: &mut Client, failure: Failure) -> Result<Next, Stop> {
    let text = match failure {
        Failure::Cancelled => "Authentication cancelled",
        _ => "Invalid response",
    };
    bad(client, text).await
}

async fn bad(client: &mut Client, text: &str) -> Result<Next, Stop> {
    client.send(format!("-ERR {text}\r\n")).await?;
    client.mistake()?;
    Ok(Next::Command)
}
