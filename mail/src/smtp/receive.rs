//! MX mode before the server is known: MAIL is kept; the first recipient, and the service that decides if there is one,
//! tell where the message goes.

use std::cell::Cell;
use std::sync::Arc;

use alb_conf::TlsMode;
use bytes::BytesMut;

use super::command::{Command, parse};
use super::mx;
use super::parameters::Argument;
use super::session::{Next, Session, no};
use crate::auth::{Asked, Attempt, Decision, Envelope, Refusal};
use crate::backend::{self, Backend, Step, Visit};
use crate::client::{AHEAD, Client, Stop};
use crate::limits;
use crate::service::Pool;

/// Why a recipient has no server.
enum Turned {
    /// Whoever decides does not want the message.
    Away(Refusal),
    /// There is none for now.
    Later(String),
}

impl Session {
    /// MAIL, or the RCPT behind it.
    pub(super) async fn receive(&mut self, client: &mut Client, line: &[u8]) -> Result<Next, Stop> {
        if self.helo.is_empty() {
            return no(client, "503 5.5.1 EHLO comes first").await;
        }
        if client.service.tls_mode(client.info.local) == Some(TlsMode::Starttls)
            && !client.is_secure()
        {
            return no(client, "530 5.7.0 Must issue a STARTTLS command first").await;
        }
        let service = Arc::clone(&client.service);
        match (parse(line), service.mx()) {
            (Command::Mail(argument), _) if self.mail.is_none() => {
                let checked = Argument::read(argument);
                let most = *service.settings.smtp.max_size;
                if let Err(refused) = checked.and_then(|read| read.check_mail(&self.offers, most)) {
                    return no(client, refused).await;
                }
                if let Some(over) = limits::refuse_message(client) {
                    client.send(format!("{over}\r\n")).await?;
                    return Ok(Next::Command);
                }
                self.mail = Some(BytesMut::from(line));
                client.send("250 2.1.0 Ok\r\n").await?;
                Ok(Next::Command)
            }
            (Command::Rcpt(argument), Some(domains)) if self.mail.is_some() => {
                let checked = Argument::read(argument).and_then(|read| {
                    read.check_rcpt(&self.offers)?;
                    mx::pool_for(&service, domains, read.path)
                });
                let over = checked.is_ok().then(|| limits::refuse_recipient(client));
                match checked {
                    Ok(_) if let Some(over) = over.flatten() => {
                        client.send(format!("{over}\r\n")).await?;
                        Ok(Next::Command)
                    }
                    Ok(pool) => self.choose(client, pool, line).await,
                    Err(refused) => no(client, refused).await,
                }
            }
            _ => no(client, "503 5.5.1 Not at this point").await,
        }
    }

    /// Opens a session at a server for the first recipient.
    async fn choose(
        &mut self,
        client: &mut Client,
        pool: &Arc<Pool>,
        rcpt: &[u8],
    ) -> Result<Next, Stop> {
        client.attempts += 1;
        match self.ask_and_open(client, pool, rcpt).await? {
            Ok(backend) => {
                client.record.server = Some(backend.audited.clone());
                // Later recipients are compared with where this one's domain leads, whoever has decided.
                Ok(Next::Chosen(
                    backend,
                    Arc::clone(pool),
                    BytesMut::from(rcpt),
                ))
            }
            Err(Turned::Away(refusal)) => {
                tokio::time::sleep(refusal.wait).await;
                let code = refusal.smtp_code.as_deref().unwrap_or("550 5.7.1");
                let text = refusal.text.as_deref().unwrap_or("Relay access denied");
                client.send(format!("{code} {text}\r\n")).await?;
                match refusal.close {
                    true => Err(Stop::Dismissed),
                    false => Ok(Next::Command),
                }
            }
            Err(Turned::Later(why)) => {
                tracing::warn!(client = %client.info.peer, listener = %client.service.name, "no server for a recipient: {why}");
                client
                    .send("451 4.4.1 No mail server can be reached, try again later\r\n")
                    .await?;
                Ok(Next::Command)
            }
        }
    }

    /// The same, while it is noticed if the client leaves.
    async fn ask_and_open(
        &self,
        client: &mut Client,
        pool: &Arc<Pool>,
        rcpt: &[u8],
    ) -> Result<Result<Box<Backend>, Turned>, Stop> {
        let Client {
            wire,
            info,
            name,
            service,
            worker,
            attempts,
            ..
        } = client;
        let opening = async {
            let attempt = Attempt {
                protocol: service.protocol,
                conn: info,
                client_name: name,
                number: *attempts,
                what: Asked::Relay(Envelope {
                    helo: self.helo.as_bytes(),
                    mail: self.mail.as_deref().unwrap_or_default(),
                    rcpt,
                }),
            };
            let accepted = match service.auth.decide(&attempt).await {
                Decision::Accept(accepted) => accepted,
                Decision::Refuse(refusal) => return Err(Turned::Away(refusal)),
                Decision::Unavailable { reason } => return Err(Turned::Later(reason)),
            };
            let named = accepted.upstream.as_deref();
            let pool = named
                .and_then(|name| service.pools.get(name))
                .unwrap_or(pool);
            let visit = Visit {
                service,
                info,
                user: None,
                verified: "",
                authzid: "",
                server: accepted.server,
                proof: backend::Proof::None,
                helo: &self.helo,
                name,
                id: &[],
                before: &[],
                promised: &self.offers,
                shown: &Cell::default(),
            };
            match backend::log_in(&visit, pool, worker).await {
                Ok(Step::In(backend)) => Ok(backend),
                Ok(Step::Asks(_)) => Err(Turned::Later("it wants a login".to_owned())),
                Err(failed) => Err(Turned::Later(format!("{failed:?}"))),
            }
        };
        tokio::select! {
            biased;
            opened = Box::pin(opening) => Ok(opened),
            () = wire.closed(AHEAD) => Err(Stop::Closed),
        }
    }
}
