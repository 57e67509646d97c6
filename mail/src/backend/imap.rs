//! Logging in at an IMAP server. Client information and login leave in one write, as Dovecot's own proxies do it.

use alb_conf::{ClientInfo, MailLogin};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use zeroize::Zeroizing;

mod probe;

pub(super) use self::probe::look;
use super::exchange::{Said, initial, line_of};
use super::{
    Failed, Opened, Proof, Refusal, Visit, client_ip, late, next_line, or_best_effort, wants, words,
};
use crate::capabilities::Offers;
use crate::sasl::MAX_LINE;
use crate::service::Pool;
use crate::wire::Wire;

/// Longest line of a server before the login is over: room for a challenge of any mechanism.
const LONGEST_LINE: usize = MAX_LINE + 16;

/// Most bytes of untagged lines a server may send before it answers the login.
const MOST_UNTAGGED: usize = 64 * 1024;

/// How often a session may pass a proxy (`x-proxy-ttl`).
const TTL: u8 = 5;

/// Reads the greeting; its words.
pub(super) async fn greeted(wire: &mut Wire) -> Result<Vec<u8>, Failed> {
    let line = next_line(wire, LONGEST_LINE).await?;
    // A connection that is logged in already is nobody's we know (RFC 3501 § 7.1.4).
    match after(&line, b"* OK") {
        Some(_) => Ok(line.to_vec()),
        None => Err(Failed::Unreachable(format!(
            "it greets with `{}`",
            words(&line)
        ))),
    }
}

/// Asks for TLS and reads the go-ahead.
pub(super) async fn ask_for_tls(wire: &mut Wire) -> Result<(), Failed> {
    wire.send(b"S STARTTLS\r\n")
        .await
        .map_err(Failed::unreachable)?;
    let (status, _) = tagged(wire, b"S ").await?;
    match after(&status, b"OK") {
        Some(_) => Ok(()),
        None => Err(Failed::unreachable("it refuses STARTTLS")),
    }
}

/// Finds out what the server offers. What it said before TLS is not believed.
pub(super) async fn opened(
    mut wire: Wire,
    banner: Vec<u8>,
    renewed: bool,
) -> Result<Opened, Failed> {
    let listed = capability_code(&banner).filter(|_| !renewed);
    let offers = match listed {
        Some(offers) => offers,
        None => {
            wire.send(b"C CAPABILITY\r\n")
                .await
                .map_err(Failed::unreachable)?;
            let (_, untagged) = tagged(&mut wire, b"C ").await?;
            let lines = untagged
                .iter()
                .filter_map(|line| after(line, b"* CAPABILITY "));
            Offers::read(lines.flat_map(|line| line.split(|b| *b == b' ')))
        }
    };
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
    let Opened {
        wire,
        offers,
        welcome,
        ..
    } = opened;
    let attempt = Attempt::choose(visit, pool, offers)?;
    let mut first = Zeroizing::new(Vec::new());
    let mut told = false;
    if offers.has("ID") && (wants(pool, ClientInfo::Id) || !visit.id.is_empty()) {
        first.extend_from_slice(&id_command(visit, wants(pool, ClientInfo::Id)));
        told = true;
    } else if wants(pool, ClientInfo::Id) {
        or_best_effort(
            pool,
            "it does not offer ID, by which it is to learn the client's address",
        )?;
    }
    if told && !pool.plan.pipelining {
        wire.send(&first).await.map_err(Failed::unreachable)?;
        tagged(wire, b"I ").await?;
        first.clear();
        told = false;
    }
    first.extend_from_slice(&attempt.command);
    let saying = async {
        wire.send(&first).await.map_err(Failed::unreachable)?;
        if told {
            tagged(wire, b"I ").await?;
        }
        finish(wire, welcome, attempt.rest).await
    };
    saying.await.map_err(late)
}

/// Hears what the server says to the command, and gives it what follows.
async fn finish(
    wire: &mut Wire,
    welcome: &mut Vec<u8>,
    rest: Vec<Zeroizing<Vec<u8>>>,
) -> Result<Said, Failed> {
    let mut answer = said(wire, welcome).await?;
    for piece in rest {
        if answer.is_some() {
            wire.send(&piece).await.map_err(Failed::unreachable)?;
            answer = said(wire, welcome).await?;
        }
    }
    Ok(answer)
}

/// The login command, and what follows at each `+`.
struct Attempt {
    command: Zeroizing<Vec<u8>>,
    rest: Vec<Zeroizing<Vec<u8>>>,
}

impl Attempt {
    fn choose(visit: &Visit<'_>, pool: &Pool, offers: &Offers) -> Result<Self, Failed> {
        let user = visit.user.unwrap_or_default();
        // It tells of passwords only: what cannot be overheard may go on (RFC 3501 § 7.2.1).
        let shown = match &visit.proof {
            Proof::Message(mechanism, _) => mechanism.is_clear(),
            Proof::Password(_) | Proof::None => true,
        };
        if shown && offers.has("LOGINDISABLED") {
            return Err(Failed::Unavailable(
                "the server takes no logins on this connection (LOGINDISABLED)".into(),
            ));
        }
        match (
            *pool.plan.login,
            &visit.proof,
            &pool.master,
            &pool.plan.master,
        ) {
            (MailLogin::Master, _, Some(password), Some(master)) => {
                let message = plain_message(visit.verified, &master.user, password.as_bytes());
                Self::by_sasl("PLAIN", &message, offers)
            }
            (_, Proof::Message(mechanism, message), _, _) => {
                Self::by_sasl(mechanism.name(), message.as_bytes(), offers)
            }
            (_, Proof::Password(password), _, _) => {
                Self::by_password(visit.authzid, user, password.as_bytes(), offers)
            }
            _ => Err(Failed::Unavailable(
                "there is nothing to log in with".into(),
            )),
        }
    }

    fn by_password(
        authzid: &str,
        user: &str,
        password: &[u8],
        offers: &Offers,
    ) -> Result<Self, Failed> {
        // LOGIN cannot say for whom the user acts.
        match offers.has_word("AUTH", "PLAIN") || !authzid.is_empty() {
            true => Self::by_sasl("PLAIN", &plain_message(authzid, user, password), offers),
            false => Ok(Self::by_login(user.as_bytes(), password)),
        }
    }

    fn by_sasl(mechanism: &str, message: &[u8], offers: &Offers) -> Result<Self, Failed> {
        if !offers.has_word("AUTH", mechanism) {
            return Err(Failed::Unfit(format!("it does not offer AUTH={mechanism}")));
        }
        let mut command = Zeroizing::new(format!("L AUTHENTICATE {mechanism}").into_bytes());
        let mut rest = Vec::new();
        match offers.has("SASL-IR") {
            true => {
                command.push(b' ');
                command.extend_from_slice(initial(message).as_bytes());
            }
            false => {
                let text = Zeroizing::new(STANDARD.encode(message));
                rest.push(line_of(text.as_bytes()));
            }
        }
        command.extend_from_slice(b"\r\n");
        Ok(Attempt { command, rest })
    }

    /// LOGIN with quoted strings, or literals for what cannot be quoted (RFC 3501 § 4.3).
    fn by_login(user: &[u8], password: &[u8]) -> Self {
        let mut pieces = vec![Zeroizing::new(b"L LOGIN".to_vec())];
        for word in [user, password] {
            let last = pieces.len() - 1;
            let quotable = word.iter().all(|b| (b' '..=b'~').contains(b));
            if quotable {
                pieces[last].extend_from_slice(b" \"");
                for byte in word {
                    if matches!(byte, b'"' | b'\\') {
                        pieces[last].push(b'\\');
                    }
                    pieces[last].push(*byte);
                }
                pieces[last].push(b'"');
            } else {
                pieces[last].extend_from_slice(format!(" {{{}}}\r\n", word.len()).as_bytes());
                pieces.push(Zeroizing::new(word.to_vec()));
            }
        }
        let last = pieces.len() - 1;
        pieces[last].extend_from_slice(b"\r\n");
        let command = pieces.remove(0);
        Attempt {
            command,
            rest: pieces,
        }
    }
}

/// Reads until the server has said something to a step of the login; untagged lines before that are the client's.
pub(super) async fn said(wire: &mut Wire, welcome: &mut Vec<u8>) -> Result<Said, Failed> {
    loop {
        let line = next_line(wire, LONGEST_LINE).await?;
        if let Some(challenge) = line.strip_prefix(b"+") {
            return Ok(Some(challenge.trim_ascii().to_vec()));
        } else if let Some(status) = after(&line, b"L ") {
            return match (after(status, b"OK"), after(status, b"NO")) {
                (Some(_), _) => {
                    welcome.extend_from_slice(status);
                    Ok(None)
                }
                (_, Some(text)) => Err(refused(text)),
                _ => Err(Failed::Unavailable(format!(
                    "the server answers `{}`",
                    words(status)
                ))),
            };
        } else if welcome.len() + line.len() > MOST_UNTAGGED {
            return Err(Failed::Unavailable(
                "the server does not stop talking".into(),
            ));
        } else if after(&line, b"* BYE").is_some() {
            return Err(Failed::Unavailable(format!(
                "the server leaves: `{}`",
                words(&line)
            )));
        } else if line.starts_with(b"* ") {
            welcome.extend_from_slice(&line);
            welcome.extend_from_slice(b"\r\n");
        } else {
            // The client would take it for an answer to a command of its own.
            let seen = words(&line);
            return Err(Failed::Unavailable(format!("the server says `{seen}`")));
        }
    }
}

/// RFC 5530: some refusals say that the credentials may be right.
fn refused(text: &[u8]) -> Failed {
    let text = words(text);
    let code = text
        .strip_prefix('[')
        .and_then(|rest| rest.split([']', ' ']).next())
        .unwrap_or_default();
    match code.to_ascii_uppercase().as_str() {
        "UNAVAILABLE" => Failed::Declined(text),
        "SERVERBUG" | "INUSE" => Failed::Unavailable(text),
        _ => Failed::Rejected(Refusal {
            code: String::new(),
            text,
        }),
    }
}

/// `I ID (…)`: what the client said of itself, and for a server that trusts us, who the client is.
fn id_command(visit: &Visit<'_>, trusted: bool) -> Vec<u8> {
    let info = visit.info;
    let mut command = b"I ID (".to_vec();
    let mut put = |key: &str, value: Option<&str>| {
        if command.last() != Some(&b'(') {
            command.push(b' ');
        }
        quoted(&mut command, key);
        command.push(b' ');
        match value {
            Some(value) => quoted(&mut command, value),
            None => command.extend_from_slice(b"NIL"),
        }
    };
    if trusted {
        let transport = if info.tls.is_some() {
            "TLS"
        } else {
            "insecure"
        };
        put("x-session-id", Some(&info.session_name()));
        put("x-originating-ip", Some(&client_ip(info).to_string()));
        put("x-originating-port", Some(&info.peer.port().to_string()));
        put(
            "x-connected-ip",
            Some(&info.local.ip().to_canonical().to_string()),
        );
        put("x-connected-port", Some(&info.local.port().to_string()));
        put("x-proxy-ttl", Some(&TTL.to_string()));
        put("x-client-transport", Some(transport));
    }
    for (key, value) in visit.id {
        put(key, value.as_deref());
    }
    command.extend_from_slice(b")\r\n");
    command
}

fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes().filter(|b| !matches!(b, b'\r' | b'\n' | 0)) {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// The message of SASL PLAIN (RFC 4616 § 2).
pub(super) fn plain_message(authzid: &str, authcid: &str, password: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(Vec::with_capacity(
        authzid.len() + authcid.len() + password.len() + 2,
    ));
    message.extend_from_slice(authzid.as_bytes());
    message.push(0);
    message.extend_from_slice(authcid.as_bytes());
    message.push(0);
    message.extend_from_slice(password);
    message
}

fn capability_code(banner: &[u8]) -> Option<Offers> {
    let text = after(banner, b"* OK ")?;
    let list = after(text, b"[CAPABILITY ")?;
    let end = list.iter().position(|b| *b == b']')?;
    Some(Offers::read(list[..end].split(|b| *b == b' ')))
}

/// The rest of a line that begins so, in any case.
fn after<'l>(line: &'l [u8], start: &[u8]) -> Option<&'l [u8]> {
    let (first, rest) = line.split_at_checked(start.len())?;
    first.eq_ignore_ascii_case(start).then_some(rest)
}

/// Reads to the answer with this tag; what stands behind the tag, and the untagged lines before it.
async fn tagged(wire: &mut Wire, tag: &[u8]) -> Result<(Vec<u8>, Vec<BytesMut>), Failed> {
    let (mut untagged, mut size) = (Vec::new(), 0);
    loop {
        let line = next_line(wire, LONGEST_LINE).await?;
        if let Some(status) = after(&line, tag) {
            return Ok((status.to_vec(), untagged));
        }
        size += line.len();
        if size > MOST_UNTAGGED || !line.starts_with(b"* ") {
            return Err(Failed::Unreachable(format!("it says `{}`", words(&line))));
        }
        untagged.push(line);
    }
}

#[cfg(test)]
mod tests;
