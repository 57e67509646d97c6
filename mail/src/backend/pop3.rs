//! Logging in at a POP3 server.

use alb_conf::{ClientInfo, MailLogin};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use zeroize::Zeroizing;

mod probe;

pub(super) use self::probe::look;
use super::exchange::{Said, line_of};
use super::imap::plain_message;
use super::{
    Failed, Opened, Proof, Refusal, Visit, client_ip, late, next_line, or_best_effort, wants, words,
};
use crate::capabilities::Offers;
use crate::sasl::MAX_LINE;
use crate::service::Pool;
use crate::wire::Wire;

/// Longest line of a server before the login is over: room for a challenge of any mechanism.
const LONGEST_LINE: usize = MAX_LINE + 16;

/// Most lines of an answer to CAPA.
const MOST_CAPABILITIES: usize = 200;

/// Reads the greeting; its words.
pub(super) async fn greeted(wire: &mut Wire) -> Result<Vec<u8>, Failed> {
    let line = next_line(wire, LONGEST_LINE).await?;
    match line.starts_with(b"+OK") {
        true => Ok(line.to_vec()),
        false => Err(Failed::Unreachable(format!(
            "it greets with `{}`",
            words(&line)
        ))),
    }
}

/// Asks for TLS and reads the go-ahead.
pub(super) async fn ask_for_tls(wire: &mut Wire) -> Result<(), Failed> {
    match say(wire, b"STLS\r\n").await?.starts_with(b"+OK") {
        true => Ok(()),
        false => Err(Failed::unreachable("it refuses STLS")),
    }
}

/// Finds out what the server offers. That USER is `known` is enough: a server that does not take it any more refuses it, and
/// is asked then.
pub(super) async fn opened(
    mut wire: Wire,
    banner: Vec<u8>,
    known: Option<Offers>,
) -> Result<Opened, Failed> {
    let known = known.filter(|known| known.has("USER"));
    let unasked = known.is_some();
    let offers = match known {
        Some(known) => known,
        None => capabilities(&mut wire).await?,
    };
    Ok(Opened {
        wire,
        offers,
        unasked,
        banner,
        welcome: Vec::new(),
    })
}

async fn capabilities(wire: &mut Wire) -> Result<Offers, Failed> {
    let mut lines = Vec::new();
    // A server without CAPA (RFC 2449) offers what RFC 1939 asks for.
    if say(wire, b"CAPA\r\n").await?.starts_with(b"+OK") {
        loop {
            let line = next_line(wire, LONGEST_LINE).await?;
            if &line[..] == b"." {
                break;
            }
            if lines.len() == MOST_CAPABILITIES {
                return Err(Failed::unreachable("its capabilities do not end"));
            }
            lines.push(line);
        }
    }
    Ok(Offers::read(lines.iter().map(|line| &line[..])))
}

/// Tells the server of the client and logs in.
pub(super) async fn log_in(
    opened: &mut Opened,
    visit: &Visit<'_>,
    pool: &Pool,
) -> Result<Said, Failed> {
    let Opened {
        wire,
        offers,
        unasked,
        banner,
        welcome,
    } = opened;
    if wants(pool, ClientInfo::Xclient) {
        introduce(wire, banner, visit, pool).await?;
    }
    for command in visit.before {
        // A server that refuses what all of its kind offered is not for this client.
        if !say(wire, format!("{command}\r\n").as_bytes())
            .await?
            .starts_with(b"+OK")
        {
            return Err(Failed::Unfit(format!("it refuses `{command}`")));
        }
    }
    let by_user =
        *pool.plan.login != MailLogin::Master && matches!(visit.proof, Proof::Password(_));
    if *unasked && !by_user {
        *offers = capabilities(wire).await?;
        *unasked = false;
    }
    let reply = present(wire, visit, pool, offers, *unasked).await?;
    understood(&reply, welcome).map_err(late)
}

/// Reads what the server says to a step of the login.
pub(super) async fn said(wire: &mut Wire, welcome: &mut Vec<u8>) -> Result<Said, Failed> {
    understood(&next_line(wire, LONGEST_LINE).await?, welcome)
}

fn understood(reply: &[u8], welcome: &mut Vec<u8>) -> Result<Said, Failed> {
    if let Some(text) = reply.strip_prefix(b"+OK") {
        *welcome = words(text).into_bytes();
        return Ok(None);
    }
    match reply.strip_prefix(b"+") {
        Some(challenge) => Ok(Some(challenge.trim_ascii().to_vec())),
        None => Err(refused(reply.strip_prefix(b"-ERR").unwrap_or(reply))),
    }
}

/// Shows name and proof; the server's answer.
async fn present(
    wire: &mut Wire,
    visit: &Visit<'_>,
    pool: &Pool,
    offers: &mut Offers,
    unasked: bool,
) -> Result<BytesMut, Failed> {
    let user = visit.user.unwrap_or_default();
    match (
        *pool.plan.login,
        &visit.proof,
        &pool.master,
        &pool.plan.master,
    ) {
        (MailLogin::Master, _, Some(password), Some(master)) => {
            sasl(
                wire,
                "PLAIN",
                &plain_message(visit.verified, &master.user, password.as_bytes()),
                offers,
            )
            .await
        }
        (_, Proof::Message(mechanism, message), _, _) => {
            sasl(wire, mechanism.name(), message.as_bytes(), offers).await
        }
        (_, Proof::Password(password), _, _) => {
            let password = password.as_bytes();
            by_password(wire, visit.authzid, user, password, offers, unasked).await
        }
        _ => Err(Failed::Unavailable(
            "there is nothing to log in with".to_owned(),
        )),
    }
}

/// By USER and PASS where they are taken; they cannot say for whom the user acts. A server that has not been asked (`unasked`)
/// what it offers, and refuses USER, is asked then.
async fn by_password(
    wire: &mut Wire,
    authzid: &str,
    user: &str,
    password: &[u8],
    offers: &mut Offers,
    unasked: bool,
) -> Result<BytesMut, Failed> {
    if takes_user(offers) && authzid.is_empty() {
        let reply = say(wire, ["USER ", user, "\r\n"].concat().as_bytes()).await?;
        if reply.starts_with(b"+OK") {
            let command = Zeroizing::new([b"PASS ", password, b"\r\n"].concat());
            return say(wire, &command).await.map_err(late);
        }
        // It may have left with that.
        if unasked && let Ok(its) = capabilities(wire).await {
            *offers = its;
        }
        if takes_user(offers) {
            return Ok(reply);
        }
    }
    let message = plain_message(authzid, user, password);
    sasl(wire, "PLAIN", &message, offers).await
}

async fn sasl(
    wire: &mut Wire,
    mechanism: &str,
    message: &[u8],
    offers: &Offers,
) -> Result<BytesMut, Failed> {
    if !offers.has_word("SASL", mechanism) {
        return Err(Failed::Unfit(format!("it does not offer SASL {mechanism}")));
    }
    let reply = say(wire, format!("AUTH {mechanism}\r\n").as_bytes()).await?;
    if !reply.starts_with(b"+ ") && &reply[..] != b"+" {
        return Ok(reply);
    }
    let text = Zeroizing::new(STANDARD.encode(message));
    say(wire, &line_of(text.as_bytes())).await.map_err(late)
}

/// Whether USER and PASS may be sent: a server that lists what it can, and not USER, does not want passwords on this
/// connection (RFC 2449 § 6.3).
fn takes_user(offers: &Offers) -> bool {
    offers.has("USER") || offers.iter().next().is_none()
}

/// Dovecot's XCLIENT: who the client is.
async fn introduce(
    wire: &mut Wire,
    banner: &[u8],
    visit: &Visit<'_>,
    pool: &Pool,
) -> Result<(), Failed> {
    let offered = banner.windows(9).any(|part| part == b"[XCLIENT]");
    if !offered {
        return or_best_effort(
            pool,
            "it does not offer XCLIENT; is the gateway in its `login_trusted_networks`?",
        );
    }
    let info = visit.info;
    let (ip, port, session) = (client_ip(info), info.peer.port(), info.session_name());
    let command = format!("XCLIENT ADDR={ip} PORT={port} SESSION={session} TTL=5\r\n");
    match say(wire, command.as_bytes()).await?.starts_with(b"+OK") {
        true => Ok(()),
        false => or_best_effort(pool, "it refuses XCLIENT"),
    }
}

/// RFC 3206: some refusals say nothing of the credentials.
fn refused(text: &[u8]) -> Failed {
    let text = words(text);
    let upper = text.to_ascii_uppercase();
    match upper.starts_with("[SYS/TEMP]") {
        true => Failed::Declined(text),
        false => Failed::Rejected(Refusal {
            code: String::new(),
            text,
        }),
    }
}

async fn say(wire: &mut Wire, command: &[u8]) -> Result<BytesMut, Failed> {
    wire.send(command).await.map_err(Failed::unreachable)?;
    next_line(wire, LONGEST_LINE).await
}
