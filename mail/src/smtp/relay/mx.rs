//! MX mode: where messages go, and how a session goes on whose server is not the right one any more.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::BytesMut;

use super::super::choose::Route;
use super::super::mx::{ANOTHER_POOL, pool_for};
use super::super::replies::Asked;
use super::Relay;
use super::branch::{Branch, goodbye};
use crate::capabilities::Offers;
use crate::client::Client;
use crate::service::Pool;

/// Where messages go, and what is known of the one under way.
pub struct Mx {
    /// What clients were promised.
    pub(super) promised: Offers,
    /// The way to the session's server.
    pub(super) route: Route,
    /// The line of MAIL.
    pub(super) mail: BytesMut,
    /// The server has not heard it.
    pub(super) held: bool,
    /// Sessions at further servers.
    pub(super) branches: Vec<Branch>,
    /// A server has left that had taken recipients.
    pub(super) lost: bool,
    /// The server is not there any more, or not for the message under way.
    pub(super) onward: Option<Onward>,
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
    pub client: Box<Client>,
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
            onward: None,
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

    /// When a further server is to hear of us again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.branches.iter().map(|branch| branch.vigil.due()).min()
    }

    /// A further server has left.
    pub(super) fn lose(&mut self, at: usize) {
        let gone = self.branches.swap_remove(at);
        self.lost |= !gone.recipients.is_empty();
    }

    /// Resolves when a further server has said something or left; one that has had enough is lost.
    pub(super) async fn heard(&mut self) {
        let at = poll_fn(|cx| {
            for (at, branch) in self.branches.iter_mut().enumerate() {
                if let Poll::Ready(filled) = pin!(branch.wire.fill()).poll(cx) {
                    return Poll::Ready((at, matches!(filled, Ok(1..))));
                }
            }
            Poll::Pending
        });
        let (at, said) = at.await;
        let branch = &mut self.branches[at];
        if !said || branch.vigil.heard(&mut branch.wire).is_err() {
            self.lose(at);
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
        let domain = pool_for(service, domains, path)?;
        let here = Arc::ptr_eq(domain, &mx.route.domain);
        match (mx.held, here) {
            (true, true) if service.settings.auth.is_none() => Ok(Way::First),
            (false, true) => Ok(Way::Here),
            (false, false) if !service.settings.smtp.fans_out() => Err(ANOTHER_POOL),
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

    /// Whether the message under way goes to several servers.
    pub(super) fn is_fanned(&self) -> bool {
        self.mx.as_ref().is_some_and(|mx| mx.is_fanned())
    }

    /// Whether the session's server is to be left behind.
    pub(super) fn is_free(&self) -> bool {
        self.mx.as_ref().is_some_and(|mx| mx.onward.is_some())
    }

    /// Has the session's server be left behind once the client has been told all that it is owed.
    pub(super) fn go_on(&mut self, onward: Onward) {
        if let Some(mx) = &mut self.mx {
            mx.onward = Some(onward);
        }
    }

    /// Leaves the session's server behind.
    pub(super) fn free(mut self: Box<Self>) -> Option<Freed> {
        self.leave_others();
        let mx = *self.mx?;
        let onward = match mx.onward? {
            Onward::Anew => None,
            Onward::To(route, mail, rcpt) => {
                goodbye(self.server);
                Some((route, mail, rcpt))
            }
        };
        Some(Freed {
            client: self.client,
            helo: self.helo,
            promised: mx.promised,
            onward,
        })
    }
}
