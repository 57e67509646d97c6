//! Logging in at an SMTP server: EHLO, XCLIENT, and the mechanism that the server offers.

use std::cell::RefCell;
use std::net::IpAddr;

use alb_conf::{ClientInfo, MailLogin};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use zeroize::Zeroizing;

mod probe;

pub(super) use self::probe::look;
use super::exchange::{Said, initial, line_of};
use super::imap::plain_message;
use super::{
    Failed, Opened, Proof, Refusal, Visit, client_ip, late, more, or_best_effort, wants, words,
};
use crate::capabilities::Offers;
use crate::service::Pool;
use crate::smtp::reply::Reply;
use crate::smtp::xtext::xtext;
use crate::wire::Wire;

/// Longest line of XCLIENT (Postfix's XCLIENT_README).
const LONGEST_XCLIENT: usize = 512;

/// Reads the greeting.
pub(super) async fn greeted(wire: &mut Wire) -> Result<Vec<u8>, Failed> {
    let reply = next_reply(wire).await?;
    match reply.code {
        220 => Ok(reply.raw.to_vec()),
        _ => Err(Failed::Unreachable(format!(
            "it greets with `{} {}`",
            reply.code,
            reply.text()
        ))),
    }
}

/// Asks for TLS and reads the go-ahead.
pub(super) async fn ask_for_tls(wire: &mut Wire, name: &str) -> Result<(), Failed> {
    if !ehlo(wire, name).await?.has("STARTTLS") {
        return Err(Failed::unreachable("it does not offer STARTTLS"));
    }
    match say(wire, b"STARTTLS\r\n").await?.code {
        220 => Ok(()),
        _ => Err(Failed::unreachable("it refuses STARTTLS")),
    }
}

/// Finds out what the server offers.
pub(super) async fn opened(mut wire: Wire, banner: Vec<u8>, name: &str) -> Result<Opened, Failed> {
    let offers = ehlo(&mut wire, name).await?;
    Ok(Opened {
        wire,
        offers,
        unasked: false,
        banner,
        welcome: Vec::new(),
    })
}

/// Tells the server of the client and logs in.
pub(super) async fn log_in(
    opened: &mut Opened,
    visit: &Visit<'_>,
    pool: &Pool,
) -> Result<Said, Failed> {
    let Opened { wire, offers, .. } = opened;
    let hello = match visit.helo {
        "" => visit.service.hostname.as_str(),
        name => name,
    };
    let mut introduced = false;
    if wants(pool, ClientInfo::Xclient) {
        introduced = introduce(wire, offers, visit, pool).await?;
    }
    // With a PROXY header it is as if the client itself were there: it also goes by the client's own name.
    let as_client = visit.user.is_none() && pool.upstream.settings().proxy_protocol.is_some();
    if introduced || as_client && !visit.helo.is_empty() {
        // The server has begun anew, for another client; it may offer it other things.
        *offers = ehlo(wire, hello).await?;
    }
    match present(wire, visit, pool, offers).await? {
        None => Ok(None),
        Some(reply) => understood(&reply).map_err(late),
    }
}

/// Reads what the server says to a step of the login.
pub(super) async fn said(wire: &mut Wire) -> Result<Said, Failed> {
    understood(&next_reply(wire).await?)
}

fn understood(reply: &Reply) -> Result<Said, Failed> {
    match reply.code {
        235 => Ok(None),
        // All of it: challenges are longer than what one says.
        334 => Ok(Some(reply.texts().last().unwrap_or_default().to_vec())),
        _ => Err(refused(reply)),
    }
}

/// Shows name and proof; the server's answer, or `None` where nobody logs in.
async fn present(
    wire: &mut Wire,
    visit: &Visit<'_>,
    pool: &Pool,
    offers: &Offers,
) -> Result<Option<Reply>, Failed> {
    let Some(user) = visit.user else {
        return Ok(None);
    };
    let reply = match (
        *pool.plan.login,
        &visit.proof,
        &pool.master,
        &pool.plan.master,
    ) {
        (MailLogin::Xclient | MailLogin::None, ..) => return Ok(None),
        (MailLogin::Master, _, Some(password), Some(master)) => {
            let message = plain_message(visit.verified, &master.user, password.as_bytes());
            sasl(wire, "PLAIN", &message, offers).await
        }
        (_, Proof::Message(mechanism, message), _, _) => {
            sasl(wire, mechanism.name(), message.as_bytes(), offers).await
        }
        (_, Proof::Password(password), _, _) => {
            by_password(wire, visit.authzid, user, password.as_bytes(), offers).await
        }
        _ => Err(Failed::Unavailable(
            "there is nothing to log in with".to_owned(),
        )),
    };
    reply.map(Some)
}

async fn by_password(
    wire: &mut Wire,
    authzid: &str,
    user: &str,
    password: &[u8],
    offers: &Offers,
) -> Result<Reply, Failed> {
    if offers.has_word("AUTH", "PLAIN") {
        let message = plain_message(authzid, user, password);
        return sasl(wire, "PLAIN", &message, offers).await;
    }
    // LOGIN cannot say for whom the user acts.
    match offers.has_word("AUTH", "LOGIN") && authzid.is_empty() {
        true => by_prompts(wire, user.as_bytes(), password).await,
        false => Err(Failed::Unfit(
            "it offers no mechanism for passwords (AUTH PLAIN or LOGIN) on this connection"
                .to_owned(),
        )),
    }
}

async fn sasl(
    wire: &mut Wire,
    mechanism: &str,
    message: &[u8],
    offers: &Offers,
) -> Result<Reply, Failed> {
    if !offers.has_word("AUTH", mechanism) {
        return Err(Failed::Unfit(format!("it does not offer AUTH {mechanism}")));
    }
    let text = initial(message);
    let command = Zeroizing::new(["AUTH ", mechanism, " ", &text, "\r\n"].concat());
    // RFC 4954 § 4: a command line has 512 bytes; what is longer waits to be asked for.
    if command.len() <= 512 {
        return say(wire, command.as_bytes()).await.map_err(late);
    }
    let reply = say(wire, format!("AUTH {mechanism}\r\n").as_bytes()).await?;
    match reply.code {
        334 => say(wire, &line_of(text.as_bytes())).await.map_err(late),
        _ => Ok(reply),
    }
}

async fn by_prompts(wire: &mut Wire, user: &[u8], password: &[u8]) -> Result<Reply, Failed> {
    let mut reply = say(wire, b"AUTH LOGIN\r\n").await?;
    for word in [user, password] {
        if reply.code != 334 {
            break;
        }
        let text = Zeroizing::new(STANDARD.encode(word));
        reply = say(wire, &line_of(text.as_bytes())).await.map_err(late)?;
    }
    Ok(reply)
}

fn refused(reply: &Reply) -> Failed {
    let text = reply.text();
    match reply.code {
        // RFC 4954 § 4.7 and 6: 535 is the answer to wrong credentials, 534 and 538 to weak mechanisms.
        500..=599 => {
            let (code, text) = split_enhanced(reply.code, &text);
            Failed::Rejected(Refusal { code, text })
        }
        code => {
            let why = format!("the server answers `{code} {text}`");
            match code {
                // RFC 4954 § 6, RFC 5321 § 3.8.
                454 | 421 => Failed::Declined(why),
                _ => Failed::Unavailable(why),
            }
        }
    }
}

/// The code with the enhanced code (RFC 2034), and the text without it.
fn split_enhanced(code: u16, text: &str) -> (String, String) {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let enhanced = first.starts_with(['2', '4', '5'])
        && first.split('.').count() == 3
        && first
            .split('.')
            .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    match enhanced {
        true => (format!("{code} {first}"), rest.to_owned()),
        false => (code.to_string(), text.to_owned()),
    }
}

/// XCLIENT with the attributes the server lists; true if it has taken them.
async fn introduce(
    wire: &mut Wire,
    offers: &Offers,
    visit: &Visit<'_>,
    pool: &Pool,
) -> Result<bool, Failed> {
    let Some(listed) = offers.find("XCLIENT") else {
        or_best_effort(
            pool,
            "it does not offer XCLIENT; is the gateway in its `smtpd_authorized_xclient_hosts`?",
        )?;
        return Ok(false);
    };
    let names_user = *pool.plan.login == MailLogin::Xclient && visit.user.is_some();
    if names_user && !lists(listed, "LOGIN") {
        return Err(Failed::unreachable("its XCLIENT takes no LOGIN"));
    }
    let command = xclient(listed, visit, names_user)?;
    let reply = say(wire, command.as_bytes()).await?;
    if reply.code != 220 {
        let why = format!("it answers XCLIENT with `{} {}`", reply.code, reply.text());
        // It is this client that is not taken, whose address is IPv6 and the server of IPv4, say. Without the user's name
        // nobody would be logged in.
        if names_user || !pool.plan.best_effort {
            return Err(Failed::Unfit(why));
        }
    }
    Ok(true)
}

/// The command, within the length that servers take. There is one only: who has been somebody else once may not be it
/// again (Postfix answers a second one with 550). What does not fit and can be done without is left out.
fn xclient(listed: &str, visit: &Visit<'_>, names_user: bool) -> Result<String, Failed> {
    let info = visit.info;
    let address = match client_ip(info) {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("IPV6:{ip}"),
    };
    let helo = Some(visit.helo).filter(|helo| !helo.is_empty()).map(xtext);
    let attributes = [
        ("NAME", Some(visit.name.as_str().to_owned())),
        ("ADDR", Some(address)),
        ("PORT", Some(info.peer.port().to_string())),
        ("PROTO", Some("ESMTP".to_owned())),
        ("HELO", helo),
        ("LOGIN", names_user.then(|| xtext(visit.verified))),
    ];
    for without in [&[][..], &["HELO"], &["HELO", "NAME"]] {
        let told = attributes
            .iter()
            .filter(|(name, _)| lists(listed, name) && !without.contains(name))
            .filter_map(|(name, value)| Some(format!(" {name}={}", value.as_ref()?)));
        let command = format!("XCLIENT{}\r\n", told.collect::<String>());
        if command.len() <= LONGEST_XCLIENT {
            return Ok(command);
        }
    }
    Err(Failed::Unavailable(
        "the user's name is too long for XCLIENT".to_owned(),
    ))
}

fn lists(listed: &str, attribute: &str) -> bool {
    listed
        .split_whitespace()
        .any(|name| name.eq_ignore_ascii_case(attribute))
}

async fn ehlo(wire: &mut Wire, name: &str) -> Result<Offers, Failed> {
    let reply = say(wire, ["EHLO ", name, "\r\n"].concat().as_bytes()).await?;
    match reply.code {
        250 => Ok(offers(&reply)),
        _ => Err(Failed::Unreachable(format!(
            "it answers EHLO with `{} {}`",
            reply.code,
            reply.text()
        ))),
    }
}

thread_local! {
    /// The last reply to EHLO, and what it offers: servers say the same to one session after the other.
    static HEARD: RefCell<(BytesMut, Offers)> = RefCell::default();
}

fn offers(reply: &Reply) -> Offers {
    HEARD.with_borrow_mut(|(heard, offers)| {
        if *heard != reply.raw {
            *offers = Offers::read(reply.texts().skip(1));
            heard.clone_from(&reply.raw);
        }
        offers.clone()
    })
}

/// Sends a command and reads the reply.
pub(crate) async fn say(wire: &mut Wire, command: &[u8]) -> Result<Reply, Failed> {
    wire.send(command).await.map_err(Failed::unreachable)?;
    next_reply(wire).await
}

/// Reads a reply.
pub(crate) async fn next_reply(wire: &mut Wire) -> Result<Reply, Failed> {
    loop {
        match Reply::take(&mut wire.buffer) {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) => more(wire).await?,
            Err(_) => {
                let seen = words(&wire.buffer[..wire.buffer.len().min(80)]);
                return Err(Failed::Unreachable(format!(
                    "it says `{seen}`, which is no SMTP"
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_told_from_text() {
        assert_eq!(
            split_enhanced(535, "5.7.8 Error: no"),
            ("535 5.7.8".into(), "Error: no".into())
        );
        assert_eq!(split_enhanced(535, "no"), ("535".into(), "no".into()));
        assert_eq!(
            split_enhanced(535, "5.7.x no"),
            ("535".into(), "5.7.x no".into())
        );
    }
}
