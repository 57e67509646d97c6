//! MX mode: recipients whose mail goes elsewhere than where the session is. The next message goes there on a session of its
//! own; where messages may go to several upstreams, those of one message each have a session for as long as it takes.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::time::timeout;

use super::super::choose::{No, Said};
use super::super::mx;
use super::super::parameters::{NOT_OFFERED, path, understood};
use super::super::replies::Asked;
use super::super::reply::Reply;
use super::Relay;
use super::branch::{Branch, MOMENT, ask};
use super::mx::Onward;
use crate::client::Stop;
use crate::service::Pool;

/// Servers that one message may go to.
const MOST_SERVERS: u32 = 10;

/// A recipient, or a message, of a server that has left.
pub(super) const LOST: &str = "451 4.4.2 Lost connection to a mail server, try again later";

impl Relay {
    /// A recipient whose server is to be found; everything before it has been answered.
    pub(super) async fn recipient(
        &mut self,
        domain: &Arc<Pool>,
        line: &BytesMut,
    ) -> Result<(), Stop> {
        let Some(mx) = self.mx.as_mut().filter(|_| self.now.open) else {
            self.tell("503 5.5.1 MAIL comes first");
            return Ok(());
        };
        if self.now.chunked {
            self.tell("503 5.5.1 Chunks have been sent");
            return Ok(());
        }
        // Otherwise a client could have connection after connection opened, with one of its own.
        if self.client.attempts >= self.client.service.settings.smtp.max_messages * MOST_SERVERS {
            self.tell("450 4.7.1 Too many messages in one session");
            return Ok(());
        }
        let known = mx
            .branches
            .iter()
            .position(|b| Arc::ptr_eq(&b.domain, domain));
        match known {
            Some(at) => return self.recipient_of(at, line).await,
            None if mx.branches.len() + 1 >= MOST_SERVERS as usize => {
                self.tell(mx::ANOTHER_POOL);
                return Ok(());
            }
            None => {}
        }
        let said = Said {
            helo: &self.helo,
            mail: &mx.mail,
            promised: &mx.promised,
        };
        let route = match said.ask(&mut self.client, domain, line).await? {
            Ok(route) => route,
            Err(no) => return self.turned(no),
        };
        let unsaid = mx.held || (self.now.recipients == 0 && !mx.is_fanned());
        match (unsaid, mx.held && route.is(&mx.route)) {
            (true, true) => {
                self.say_mail();
                self.now.ask(path(line));
                self.pass(line, Asked::Rcpt);
                Ok(())
            }
            (true, false) => {
                mx.onward = Some(Onward::To(route, mx.mail.clone(), line.clone()));
                Ok(())
            }
            (false, _) => match said.open(&mut self.client, &route, line).await? {
                Ok(backend) => {
                    let branch = Branch::new(domain, *backend, &self.client.service);
                    self.branch(branch, line).await
                }
                Err(no) => self.turned(no),
            },
        }
    }

    fn turned(&mut self, no: No) -> Result<(), Stop> {
        self.tell(&no.reply);
        if no.close {
            self.over = Some(Stop::Quit);
        }
        Ok(())
    }

    /// Tells a further server of MAIL and its first recipient. Its refusal of MAIL is the answer to that.
    async fn branch(&mut self, mut branch: Branch, line: &[u8]) -> Result<(), Stop> {
        let Some(mx) = &mut self.mx else {
            return Ok(());
        };
        let most = *self.client.service.settings.timeouts.server;
        match ask(&mut self.client.wire, &mut branch, &mx.mail, most).await? {
            Some(reply) if reply.is_positive() => {
                mx.branches.push(branch);
                let at = mx.branches.len() - 1;
                self.recipient_of(at, line).await
            }
            Some(reply) => {
                self.to_client.extend_from_slice(&reply.raw);
                branch.leave();
                Ok(())
            }
            None => {
                self.tell(LOST);
                Ok(())
            }
        }
    }

    /// A recipient of a further server that has heard MAIL.
    async fn recipient_of(&mut self, at: usize, line: &[u8]) -> Result<(), Stop> {
        let Some(mx) = &mut self.mx else {
            return Ok(());
        };
        let most = *self.client.service.settings.timeouts.server;
        let branch = &mut mx.branches[at];
        if !understood(line, &branch.offers) {
            self.tell(NOT_OFFERED);
            return Ok(());
        }
        let reply = ask(&mut self.client.wire, branch, line, most).await?;
        self.now.ask(path(line));
        let taken = reply.as_ref().is_some_and(Reply::is_positive);
        self.now.answered(taken);
        match reply {
            Some(reply) => {
                if taken {
                    let recipient = String::from_utf8_lossy(path(line));
                    branch.recipients.push(recipient.into_owned());
                }
                self.to_client.extend_from_slice(&reply.raw);
            }
            None => {
                mx.lose(at);
                self.tell(LOST);
            }
        }
        Ok(())
    }

    /// Leaves all servers but the session's own.
    pub(super) fn leave_others(&mut self) {
        if let Some(mx) = &mut self.mx {
            mx.branches.drain(..).for_each(Branch::leave);
            (mx.lost, mx.held) = (false, false);
        }
    }

    /// Keeps further servers waiting. If one has left, that is noticed when it is to take something.
    pub(super) async fn remind_others(&mut self) {
        for branch in self.mx.iter_mut().flat_map(|mx| &mut mx.branches) {
            let told = timeout(MOMENT, branch.vigil.remind(&mut branch.wire)).await;
            drop(told);
        }
    }
}
