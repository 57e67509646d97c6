//! Where messages are held: a server that takes them with the envelope they came with, or not at all.

use std::cell::Cell;

use alb_core::ConnInfo;

use super::super::reply::Reply;
use super::deliver::{Content, Sent, reply, send};
use crate::audit::Message;
use crate::backend::smtp::say;
use crate::backend::{self, Backend, Failed, Proof, Step, Visit};
use crate::capabilities::Offers;
use crate::client_name::ClientName;
use crate::service::Service;
use crate::wire::Wire;
use crate::worker::Worker;

/// Where, and on whose behalf.
pub(super) struct Place<'p> {
    pub(super) service: &'p Service,
    pub(super) info: &'p ConnInfo,
    pub(super) name: &'p ClientName,
    pub(super) worker: &'p Worker,
    pub(super) upstream: &'p str,
}

/// Delivers a message; for all of its recipients, or for none.
///
/// # Errors
///
/// Why it is not held: no server, or what the server said.
pub(super) async fn deliver(
    place: &Place<'_>,
    message: &Message,
    content: &Content<'_>,
) -> Result<(), String> {
    let mut backend = connect(place)
        .await
        .map_err(|failed| format!("{failed:?}"))?;
    let (wire, offers) = (&mut backend.wire, &backend.offers);
    accepted(wire, &mail(message, offers)).await?;
    for recipient in &message.recipients {
        accepted(wire, &format!("RCPT TO:<{recipient}>\r\n")).await?;
    }
    let times = &place.service.settings.timeouts;
    let taken = match send(wire, content, *times.data)
        .await
        .map_err(|error| error.to_string())?
    {
        Sent::Refused(reply) => reply,
        Sent::Whole => reply(wire).await.map_err(|error| error.to_string())?,
    };
    // Politeness only; the message is held, or is not.
    let _ = wire.send(b"QUIT\r\n").await;
    positive(&taken)
}

async fn connect(place: &Place<'_>) -> Result<Box<Backend>, Failed> {
    let pool = place.service.pools.get(place.upstream);
    let pool = pool.ok_or_else(|| Failed::Unreachable("no such upstream".to_owned()))?;
    let visit = Visit {
        name: place.name,
        service: place.service,
        info: place.info,
        user: None,
        verified: "",
        authzid: "",
        server: None,
        proof: Proof::None,
        helo: "",
        id: &[],
        before: &[],
        promised: &Offers::default(),
        shown: &Cell::default(),
    };
    match backend::log_in(&visit, pool, place.worker).await? {
        Step::In(backend) => Ok(backend),
        Step::Asks(_) => Err(Failed::Unavailable("it wants a login".to_owned())),
    }
}

/// MAIL with what the message may need and the server offers.
fn mail(message: &Message, offers: &Offers) -> String {
    let needs_utf8 =
        !message.mail_from.is_ascii() || !message.recipients.iter().all(|to| to.is_ascii());
    let parameters = [
        ("8BITMIME", " BODY=8BITMIME", true),
        ("SMTPUTF8", " SMTPUTF8", needs_utf8),
    ];
    let parameters = parameters
        .iter()
        .filter(|(keyword, _, needed)| *needed && offers.has(keyword));
    let parameters: String = parameters.map(|(_, parameter, _)| *parameter).collect();
    format!("MAIL FROM:<{}>{parameters}\r\n", message.mail_from)
}

async fn accepted(wire: &mut Wire, command: &str) -> Result<(), String> {
    let reply = say(wire, command.as_bytes())
        .await
        .map_err(|failed| format!("{failed:?}"))?;
    positive(&reply)
}

fn positive(reply: &Reply) -> Result<(), String> {
    match reply.is_positive() {
        true => Ok(()),
        false => Err(format!("it says `{} {}`", reply.code, reply.text())),
    }
}
