//! MX mode: recipients whose mail goes elsewhere than where the session is. The next message goes there on a session of its
//! own; where messages may go to several upstreams, those of one message each have a session for as long as it takes.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use alb_core::upstream::Active;
use bytes::BytesMut;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::super::choose::{No, Route, Said};
use super::super::mx;
use super::super::parameters::path;
use super::super::replies::Asked;
use super::super::reply::Reply;
use super::vigil::Vigil;
use super::{OF_BODY, Relay};
use crate::backend::Backend;
use crate::backend::smtp::say;
use crate::capabilities::Offers;
use crate::client::{Client, Stop};
use crate::service::Pool;
use crate::wire::Wire;

/// Servers that one message may go to.
const MOST_SERVERS: usize = 10;

/// How long a server may take to hear that we leave.
const GOODBYE: Duration = Duration::from_secs(5);

/// A recipient, or a message, of a server that has left.
pub(super) const LOST: &str = "451 4.4.2 Lost connection to a mail server, try again later";

/// Where messages go, and what is known of the one under way.
pub struct Mx {
    /// What clients were promised.
    pub(super) promised: Offers,
    /// The way to the session's server.
    route: Route,
    /// The line of MAIL.
    mail: BytesMut,
    /// The server has not heard it.
    held: bool,
    /// Sessions at further servers.
    pub(super) branches: Vec<Branch>,
    /// A server has left that had taken recipients.
    pub(super) lost: bool,
}

/// A session at a further server, for one message.
pub(super) struct Branch {
    domain: Arc<Pool>,
    /// Upstream and address, for the log.
    pub(super) name: String,
    pub(super) wire: Wire,
    pub(super) vigil: Vigil,
    /// Recipients that it has taken.
    pub(super) recipients: Vec<String>,
    pub(super) stage: Stage,
    _active: Active,
}

/// How far a server is with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It knows sender and recipients.
    Envelope,
    /// It is being sent the message itself.
    Content,
    /// It has said what becomes of it.
    Over,
}

/// Where a recipient's mail goes.
pub(super) enum Way {
    /// To the session's server.
    Here,
    /// The same, and it is the first of its message.
    First,
    /// There, or where whoever decides says.
    Elsewhere(Arc<Pool>),
}

/// How a session goes on whose server is not the right one any more.
pub(super) enum Onward {
    /// The server is in the middle of a message that it must not get.
    Anew,
    /// This way, with MAIL and RCPT.
    To(Route, BytesMut, BytesMut),
}

/// What is left of a session without its server.
pub struct Freed {
    pub client: Client,
    /// The name the client gave.
    pub helo: String,
    /// What it was promised.
    pub promised: Offers,
    /// Where its message goes, with MAIL and RCPT.
    pub onward: Option<(Route, BytesMut, BytesMut)>,
}

impl Mx {
    /// At the server that this way leads to.
    pub fn new(route: Route, promised: Offers) -> Self {
        Mx {
            promised,
            route,
            mail: BytesMut::new(),
            held: false,
            branches: Vec::new(),
            lost: false,
        }
    }

    /// Keeps MAIL until it is known where it goes.
    pub(super) fn hold(&mut self, mail: &[u8]) {
        self.mail = BytesMut::from(mail);
        self.held = true;
    }

    /// Whether the message under way goes to several servers.
    pub(super) fn is_fanned(&self) -> bool {
        self.lost || !self.branches.is_empty()
    }
}

impl Branch {
    fn new(domain: &Arc<Pool>, backend: Backend) -> Self {
        Branch {
            domain: Arc::clone(domain),
            name: backend.audited.name(),
            wire: backend.wire,
            vigil: Vigil::begin(),
            recipients: Vec::new(),
            stage: Stage::Envelope,
            _active: backend.active,
        }
    }

    /// Leaves: with a word, unless that would be a part of a message.
    fn leave(self) {
        if self.stage != Stage::Content {
            goodbye(self.wire);
        }
    }
}

impl Relay {
    /// Where the mail of this recipient goes, if it is taken.
    pub(super) fn way(&self, path: &[u8]) -> Result<Way, &'static str> {
        let service = &self.client.service;
        let (Some(mx), Some(domains)) = (&self.mx, service.mx()) else {
            return Ok(Way::Here);
        };
        let domain = mx::pool_for(service, domains, path)?;
        let here = Arc::ptr_eq(domain, &mx.route.domain);
        match (mx.held, here) {
            (true, true) if service.settings.auth.is_none() => Ok(Way::First),
            (false, true) => Ok(Way::Here),
            (false, false) if !service.settings.smtp.fans_out() => Err(mx::ANOTHER_POOL),
            _ => Ok(Way::Elsewhere(Arc::clone(domain))),
        }
    }

    /// Whether MAIL has been said, and not in vain.
    pub(super) fn has_sender(&self) -> bool {
        let held = self.mx.as_ref().is_some_and(|mx| mx.held);
        self.now.open && (held || self.now.recipients > 0)
    }

    /// Tells the server of MAIL if it has not heard it.
    pub(super) fn say_mail(&mut self) {
        if let Some(mx) = self.mx.as_mut().filter(|mx| mx.held) {
            mx.held = false;
            let mail = mx.mail.clone();
            self.pass(&mail, Asked::HeldMail);
        }
    }

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
        let known = mx
            .branches
            .iter()
            .position(|b| Arc::ptr_eq(&b.domain, domain));
        match known {
            Some(at) => return self.recipient_of(at, line).await,
            None if mx.branches.len() + 1 >= MOST_SERVERS => {
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
                self.free = Some(Onward::To(route, mx.mail.clone(), line.clone()));
                Ok(())
            }
            (false, _) => match said.open(&mut self.client, &route).await? {
                Ok(backend) => self.branch(Branch::new(domain, *backend), line).await,
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
                let gone = mx.branches.swap_remove(at);
                mx.lost |= !gone.recipients.is_empty();
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

    /// When a further server is to hear of us again.
    pub(super) fn others_due(&self) -> Option<Instant> {
        let branches = self.mx.iter().flat_map(|mx| &mx.branches);
        branches.map(|branch| branch.vigil.due()).min()
    }

    /// Keeps further servers waiting. If one has left, that is noticed when it is to take something.
    pub(super) async fn remind_others(&mut self) {
        for branch in self.mx.iter_mut().flat_map(|mx| &mut mx.branches) {
            let told = timeout(GOODBYE, branch.vigil.remind(&mut branch.wire)).await;
            drop(told);
        }
    }

    /// Leaves the session's server behind.
    pub(super) fn free(mut self) -> Option<Freed> {
        self.leave_others();
        let onward = match self.free? {
            Onward::Anew => None,
            Onward::To(route, mail, rcpt) => {
                goodbye(self.server);
                Some((route, mail, rcpt))
            }
        };
        Some(Freed {
            client: self.client,
            helo: self.helo,
            promised: self.mx?.promised,
            onward,
        })
    }
}

/// Has a server answer a command, while it is noticed if the client leaves. `None`: it has left, or has had enough.
async fn ask(
    client: &mut Wire,
    branch: &mut Branch,
    line: &[u8],
    most: Duration,
) -> Result<Option<Reply>, Stop> {
    let asking = async {
        branch.vigil.settle(&mut branch.wire).await.ok()?;
        branch.vigil.told();
        let command = [line, b"\r\n"].concat();
        let reply = say(&mut branch.wire, &command).await.ok()?;
        Some(reply).filter(|reply| reply.code != 421)
    };
    tokio::select! {
        biased;
        reply = timeout(most, asking) => Ok(reply.ok().flatten()),
        () = client.closed(OF_BODY) => Err(Stop::Closed),
    }
}

/// Resolves when a further server has said something or left. One that has had enough is known to be lost.
pub(super) async fn heard(mx: &mut Option<Mx>) {
    let Some(mx) = mx else {
        return std::future::pending().await;
    };
    let at = poll_fn(|cx| {
        for (at, branch) in mx.branches.iter_mut().enumerate() {
            if let Poll::Ready(filled) = pin!(branch.wire.fill()).poll(cx) {
                return Poll::Ready((at, matches!(filled, Ok(1..))));
            }
        }
        Poll::Pending
    });
    let (at, said) = at.await;
    let branch = &mut mx.branches[at];
    if !said || branch.vigil.heard(&mut branch.wire).is_err() {
        let gone = mx.branches.swap_remove(at);
        mx.lost |= !gone.recipients.is_empty();
    }
}

/// Takes leave of a server, which nobody waits for.
fn goodbye(mut server: Wire) {
    spawn_local(async move {
        let _ = timeout(GOODBYE, say(&mut server, b"QUIT\r\n")).await;
        let _ = timeout(GOODBYE, server.finish()).await;
    });
}
