//! MX mode before the server is known: MAIL is kept; the first recipient, and the service that decides if there is one,
//! tell where the message goes.

use std::sync::Arc;

use alb_conf::TlsMode;
use bytes::BytesMut;

use super::choose::{No, Route, Said};
use super::command::{Command, parse};
use super::mx;
use super::parameters::Argument;
use super::session::{Login, Next, Session, no};
use crate::client::{Client, Stop};
use crate::limits;
use crate::service::Pool;

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
                if let Err(refused) =
                    checked.and_then(|read| read.check_mail(&self.promised.offers, most))
                {
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
                    read.check_rcpt(&self.promised.offers)?;
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

    /// Asks where the first recipient's message goes, and goes there.
    async fn choose(
        &mut self,
        client: &mut Client,
        domain: &Arc<Pool>,
        rcpt: &[u8],
    ) -> Result<Next, Stop> {
        // Sessions are many, and few of them ask at once: those hold the memory for it.
        match Box::pin(self.said().ask(client, domain, rcpt)).await? {
            Ok(route) => self.go(client, route, rcpt).await,
            Err(no) => turned(client, no).await,
        }
    }

    /// Opens a session at a server for the first recipient.
    pub(super) async fn go(
        &self,
        client: &mut Client,
        route: Route,
        rcpt: &[u8],
    ) -> Result<Next, Stop> {
        match Box::pin(self.said().open(client, &route, rcpt)).await? {
            Ok(backend) => {
                client.record.server = Some(backend.audited.clone());
                Ok(Next::Login(Login::Chosen(
                    backend,
                    route,
                    BytesMut::from(rcpt),
                )))
            }
            Err(no) => turned(client, no).await,
        }
    }

    fn said(&self) -> Said<'_> {
        Said {
            helo: &self.helo,
            mail: self.mail.as_deref().unwrap_or_default(),
            promised: &self.promised.offers,
        }
    }
}

/// Tells a client that its recipient has no server.
async fn turned(client: &mut Client, no: No) -> Result<Next, Stop> {
    client.send(format!("{}\r\n", no.reply)).await?;
    match no.close {
        true => Err(Stop::Dismissed),
        false => Ok(Next::Command),
    }
}
