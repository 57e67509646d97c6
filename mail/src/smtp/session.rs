//! An SMTP session before its server is known: greeting, EHLO, STARTTLS, AUTH; in MX mode MAIL and the first RCPT.

use std::cell::Cell;
use std::pin::Pin;
use std::time::Instant;

use alb_core::upstream::Active;
use bytes::BytesMut;
use tokio::time::timeout_at;
use zeroize::Zeroize;

use super::choose::Route;
use super::command::{Command, parse};
use super::framer::{Framer, Unit, Violation};
use super::relay::{Freed, Mx, Relay};
use super::replies::ehlo;
use super::words::{broken, farewell, is_of_mistake, not_logged_in};
use crate::backend::{self, Backend};
use crate::client::{Client, Stop};
use crate::client_name::ClientName;
use crate::dialogue::{self, Dialogue};
use crate::login::{self, Asked, Outcome};
use crate::promised::Promised;
use crate::proving;
use crate::sasl::{Credentials, Mechanism};

/// A session before its server is known.
pub(super) struct Session {
    framer: Framer,
    pub(super) helo: String,
    pub(super) promised: Promised,
    /// MX mode: the line of MAIL.
    pub(super) mail: Option<BytesMut>,
}

/// What follows a command.
pub(super) type Next = dialogue::Next<Login>;

/// The server of a session.
pub(super) enum Login {
    /// That of the user.
    Own(Box<Backend>),
    /// MX mode: a server, the way to it, and the RCPT that has chosen it.
    Chosen(Box<Backend>, Route, BytesMut),
}

/// The rest of a session whose server is known.
pub type Rest = Pin<Box<dyn Future<Output = ()>>>;

/// Serves a client until its server is known; `None` if the session has ended before.
pub async fn log_in(client: Box<Client>) -> Option<Rest> {
    let (client, session, login) = dialogue::until_login::<Session>(client).await?;
    let (relay, active) = session.at(client, login);
    Some(Box::pin(stay(relay, active)))
}

/// The session at its server, which is counted there for as long as it lives; and at the next one, where mail for others goes.
async fn stay(mut relay: Box<Relay>, mut active: Active) {
    while let Some(freed) = relay.run().await {
        drop(active);
        match Box::pin(Session::resume(freed)).await {
            Some(next) => (relay, active) = next,
            None => return,
        }
    }
}

/// RFC 4954 § 4 has a reply of its own for it; the rest of the line must not be taken for commands.
pub(super) const EXCHANGE_TOO_LONG: &str = "exchange_too_long";

fn of_exchange(stop: Stop) -> Stop {
    match stop {
        Stop::TooLong => Stop::Violation(EXCHANGE_TOO_LONG),
        other => other,
    }
}

impl Dialogue for Session {
    type Login = Login;

    fn new(client: &Client) -> Self {
        Session {
            framer: Framer::new(client.service.settings.smtp.bare_lf == alb_conf::BareLf::Fix),
            helo: String::new(),
            promised: Promised::default(),
            mail: None,
        }
    }

    async fn greet(&mut self, client: &mut Client) -> Result<(), Stop> {
        let delay = *client.service.settings.smtp.greeting_delay;
        if !delay.is_zero() {
            // Who speaks before the greeting does not wait for answers either.
            match timeout_at((Instant::now() + delay).into(), client.more()).await {
                Ok(Ok(())) => return Err(Stop::Violation("early_talker")),
                Ok(Err(stop)) => return Err(stop),
                Err(_) => {}
            }
        }
        let service = &client.service;
        if service.settings.smtp.client_names {
            let ip = backend::client_ip(&client.info);
            client.name = ClientName::of(ip, client.worker.resolver.as_ref()).await;
        }
        let servers = backend::offers(service).await;
        self.promised = client.worker.promises.with(service, &servers);
        let greeting = ["220 ", &service.hostname, " ESMTP ready\r\n"].concat();
        client.send(greeting).await
    }

    async fn step(&mut self, client: &mut Client) -> Result<Next, Stop> {
        let unit =
            self.framer
                .next(&mut client.wire.buffer)
                .map_err(|violation| match violation {
                    Violation::TooLong => Stop::TooLong,
                    Violation::Unsound => Stop::Violation("bare_line_end"),
                })?;
        match unit {
            None => client.more().await.map(|()| Next::Command),
            // A chunk that nobody wanted.
            Some(Unit::Data(..) | Unit::Chunk(..)) => Ok(Next::Command),
            Some(Unit::Line(mut line)) => {
                let next = self.answer(client, &line).await;
                line.as_mut().zeroize();
                next
            }
        }
    }

    fn protected(self, client: &Client) -> Self {
        Session {
            promised: self.promised,
            ..Session::new(client)
        }
    }

    fn farewell(stop: &Stop) -> &'static str {
        farewell(stop)
    }
}

impl Session {
    /// A client whose server is not there any more, or is not the one for its message.
    async fn resume(freed: Freed) -> Option<(Box<Relay>, Active)> {
        let Freed {
            mut client,
            helo,
            promised,
            onward,
        } = freed;
        client.stay();
        let mut session = Session {
            helo,
            promised: promised.into(),
            ..Session::new(&client)
        };
        if let Some((route, mail, rcpt)) = onward {
            session.mail = Some(mail);
            match session.go(&mut client, route, &rcpt).await {
                Ok(Next::Login(login)) => return Some(session.at(client, login)),
                Ok(_) => {}
                Err(stop) => {
                    Box::pin(client.leave(&stop, farewell(&stop))).await;
                    return None;
                }
            }
        }
        let (client, session, login) = dialogue::go_on(session, client).await?;
        Some(session.at(client, login))
    }

    /// The session at its server. That of a message hears now what the client has said of it.
    fn at(self, client: Box<Client>, login: Login) -> (Box<Relay>, Active) {
        match login {
            Login::Own(backend) => Relay::new(client, *backend, None, self.helo),
            Login::Chosen(backend, route, rcpt) => {
                let mx = Mx::new(route, self.promised.offers);
                let (mut relay, active) = Relay::new(client, *backend, Some(mx), self.helo);
                relay.replay(&self.mail.unwrap_or_default(), &rcpt);
                (relay, active)
            }
        }
    }

    async fn answer(&mut self, client: &mut Client, line: &[u8]) -> Result<Next, Stop> {
        let reply = match parse(line) {
            Command::Ehlo(name) => {
                self.greeted(name);
                ehlo(
                    &client.service.hostname,
                    &self.promised.offers,
                    self.own_keywords(client),
                )
            }
            Command::Helo(name) => {
                self.greeted(name);
                format!("250 {}\r\n", client.service.hostname)
            }
            Command::Starttls if client.may_upgrade() => {
                return Ok(Next::Upgrade("220 2.0.0 Ready to start TLS\r\n".to_owned()));
            }
            Command::Auth(name, initial) => return self.auth(client, name, initial).await,
            Command::Noop => "250 2.0.0 Ok\r\n".to_owned(),
            Command::Rset => {
                self.mail = None;
                "250 2.0.0 Ok\r\n".to_owned()
            }
            Command::Quit => {
                client.send("221 2.0.0 Bye\r\n").await?;
                return Err(Stop::Quit);
            }
            Command::Help => "214 2.0.0 See RFC 5321\r\n".to_owned(),
            Command::Vrfy => "252 2.5.2 Cannot verify, send some mail\r\n".to_owned(),
            Command::Mail(_) | Command::Rcpt(_) if client.service.mx().is_some() => {
                return self.receive(client, line).await;
            }
            Command::Mail(_) | Command::Rcpt(_) | Command::Data => {
                return no(client, not_logged_in(client)).await;
            }
            Command::Bdat(size, _) => {
                if size > *client.service.settings.smtp.max_size {
                    return Err(Stop::Violation("chunk_size"));
                }
                self.framer.chunk(size);
                return no(client, not_logged_in(client)).await;
            }
            Command::LostSize => return Err(Stop::Violation("chunk_size")),
            Command::Starttls => {
                return no(client, "503 5.5.1 STARTTLS is not possible here").await;
            }
            Command::Other(_) => return no(client, "500 5.5.1 Unknown command").await,
            Command::Malformed => return no(client, "501 5.5.4 Malformed argument").await,
        };
        client.send(reply).await?;
        Ok(Next::Command)
    }

    fn greeted(&mut self, name: &str) {
        name.clone_into(&mut self.helo);
        self.mail = None;
    }

    /// What the gateway itself can do on this connection.
    fn own_keywords(&self, client: &Client) -> impl Iterator<Item = String> {
        let starttls = client.may_upgrade().then(|| "STARTTLS".to_owned());
        let names = self.promised.offered(client);
        let takes_logins = client.service.mx().is_none() && !names.is_empty();
        let auth = takes_logins.then(|| ["AUTH ", names].concat());
        starttls.into_iter().chain(auth)
    }

    async fn auth(
        &mut self,
        client: &mut Client,
        name: &[u8],
        initial: Option<&[u8]>,
    ) -> Result<Next, Stop> {
        if client.service.mx().is_some() || self.helo.is_empty() {
            return no(client, "503 5.5.1 AUTH is not possible here").await;
        }
        if !client.may_log_in() {
            return no(
                client,
                "538 5.7.11 Encryption required for requested authentication mechanism",
            )
            .await;
        }
        let offered = Mechanism::from_name(name).filter(|m| self.promised.mechanisms.contains(*m));
        let Some(mechanism) = offered else {
            return no(client, "504 5.5.4 Unrecognized authentication type").await;
        };
        let exchange = proving::converse(client, mechanism, initial).await;
        match exchange.map_err(of_exchange)? {
            Ok(credentials) => self.log_in(client, mechanism.name(), &credentials).await,
            Err(failure) => no(client, broken(failure)).await,
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
            helo: &self.helo,
            id: &[],
            before: &[],
            promised: &self.promised.offers,
            shown: Cell::default(),
        };
        let login = login::log_in(client, &asked).await;
        match login.map_err(of_exchange)? {
            Outcome::In(backend) => {
                client
                    .send("235 2.7.0 Authentication successful\r\n")
                    .await?;
                Ok(Next::Login(Login::Own(backend)))
            }
            Outcome::Rejected(refusal) => {
                let code = whole_code(refusal.code);
                let text = match refusal.text.as_str() {
                    "" => "Authentication credentials invalid",
                    text => text,
                };
                client.send(format!("{code} {text}\r\n")).await?;
                client.refused(refusal.close)?;
                Ok(Next::Command)
            }
            Outcome::Broken(failure) => no(client, broken(failure)).await,
            Outcome::Busy => {
                client
                    .send("454 4.7.0 Too many sessions of this user\r\n")
                    .await?;
                Ok(Next::Command)
            }
            Outcome::Unavailable => {
                client
                    .send("454 4.7.0 Temporary authentication failure\r\n")
                    .await?;
                Ok(Next::Command)
            }
        }
    }
}

/// A code with the enhanced one (RFC 3463) that whoever refuses the login has left out.
fn whole_code(code: String) -> String {
    match code.as_bytes() {
        [] => "535 5.7.8".to_owned(),
        [b'4', _, _] => format!("{code} 4.7.0"),
        [_, _, _] => format!("{code} 5.7.8"),
        _ => code,
    }
}

/// Refuses a command.
pub(super) async fn no(client: &mut Client, reply: &str) -> Result<Next, Stop> {
    client.send(format!("{reply}\r\n")).await?;
    if is_of_mistake(reply) {
        client.mistake()?;
    }
    Ok(Next::Command)
}
