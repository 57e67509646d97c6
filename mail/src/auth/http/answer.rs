//! The answer of the service: the head of an HTTP response. Strict, since it decides who comes in.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use memchr::memchr;

use crate::sasl::MAX_USER;
use crate::secret::Secret;

/// Most header fields of an answer.
const MAX_FIELDS: usize = 100;
/// Longest value of a field that is used, in bytes.
const MAX_VALUE: usize = 4096;

/// What the service said.
#[derive(Debug)]
pub struct Answer {
    /// `Auth-Status`.
    pub status: Status,
    /// `Auth-Server` and `Auth-Port`.
    pub server: Option<SocketAddr>,
    /// `Auth-Pool`, our extension: the name of an upstream.
    pub pool: Option<String>,
    /// `Auth-User`: the name to log in with at the server.
    pub user: Option<String>,
    /// `Auth-Pass`: the password to log in with at the server.
    pub password: Option<Secret>,
    /// `Auth-Wait`.
    pub wait: Option<Duration>,
    /// `Auth-Error-Code`, for SMTP.
    pub error_code: Option<String>,
}

/// What it decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// The client may come in.
    Ok,
    /// Ask again later.
    Wait,
    /// The client may not, with words for it.
    Refused(String),
}

/// Why an answer counts as none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The first line is none of HTTP.
    #[error("the first line of the answer is not that of HTTP")]
    StatusLine,
    /// A line that is not a field, or too many of them.
    #[error("the head of the answer has a line that is not a field")]
    Field,
    /// A control character where none may be.
    #[error("`{0}` has a control character, or is too long")]
    Value(&'static str),
    /// A field twice.
    #[error("`{0}` is there twice")]
    Twice(&'static str),
    /// A value that means nothing.
    #[error("`{0}` has a value that means nothing")]
    Meaning(&'static str),
    /// No `Auth-Status`.
    #[error("the answer (HTTP status {0}) has no `Auth-Status`")]
    NoStatus(u16),
    /// `OK` with a status of HTTP that says otherwise.
    #[error("`Auth-Status: OK` with HTTP status {0}")]
    Contradiction(u16),
}

/// The fields that mean something.
const NAMES: [&str; 8] = [
    "Auth-Status",
    "Auth-Server",
    "Auth-Port",
    "Auth-Pool",
    "Auth-User",
    "Auth-Pass",
    "Auth-Wait",
    "Auth-Error-Code",
];

/// Reads the head of an answer. `None`: it is not whole yet.
///
/// # Errors
///
/// Whatever makes it no decision.
pub fn parse(bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
    let Some(head) = head(bytes) else {
        return Ok(None);
    };
    let mut lines = lines(head);
    let http = lines
        .next()
        .and_then(status_line)
        .ok_or(Malformed::StatusLine)?;
    let fields = Fields::read(lines)?;
    answer(&fields, http).map(Some)
}

fn answer(fields: &Fields<'_>, http: u16) -> Result<Answer, Malformed> {
    let status = match fields.text("Auth-Status")? {
        None | Some("") => return Err(Malformed::NoStatus(http)),
        Some("OK") if !(200..300).contains(&http) => return Err(Malformed::Contradiction(http)),
        Some("OK") => Status::Ok,
        Some("WAIT") => Status::Wait,
        Some(text) => Status::Refused(text.to_owned()),
    };
    Ok(Answer {
        status,
        server: fields.server()?,
        pool: fields.filled("Auth-Pool")?.map(str::to_owned),
        user: fields.user()?,
        password: fields.password()?,
        wait: fields.wait()?,
        error_code: fields.error_code()?,
    })
}

/// The head without the empty line that ends it. Lines may end in LF alone, as nginx takes them.
pub(super) fn head(bytes: &[u8]) -> Option<&[u8]> {
    let mut start = 0;
    loop {
        let end = start + memchr(b'\n', &bytes[start..])?;
        if matches!(&bytes[start..end], b"" | b"\r") && start > 0 {
            return Some(&bytes[..start - 1]);
        }
        start = end + 1;
    }
}

/// The lines of a head, without their ends.
pub(super) fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let all = rest?;
        let end = memchr(b'\n', all);
        rest = end.map(|end| &all[end + 1..]);
        let line = &all[..end.unwrap_or(all.len())];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    })
}

/// Name and value of a line.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    Some((&line[..colon], line[colon + 1..].trim_ascii()))
}

/// `HTTP/1.1 200 OK`.
fn status_line(line: &[u8]) -> Option<u16> {
    let rest = line
        .strip_prefix(b"HTTP/1.0 ")
        .or(line.strip_prefix(b"HTTP/1.1 "))?;
    let (code, rest) = rest.split_at_checked(3)?;
    let status: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    let parted = rest.is_empty() || rest.starts_with(b" ");
    ((100..600).contains(&status) && parted).then_some(status)
}

/// The values of [`NAMES`], in that order.
struct Fields<'a>([Option<&'a [u8]>; NAMES.len()]);

impl<'a> Fields<'a> {
    fn read(lines: impl Iterator<Item = &'a [u8]>) -> Result<Self, Malformed> {
        let mut fields = Fields([None; NAMES.len()]);
        for (count, line) in lines.enumerate() {
            let (name, value) = field(line).ok_or(Malformed::Field)?;
            if count >= MAX_FIELDS || !is_name(name) {
                return Err(Malformed::Field);
            }
            let known = NAMES
                .iter()
                .position(|known| known.as_bytes().eq_ignore_ascii_case(name));
            let Some(index) = known else { continue };
            if value.len() > MAX_VALUE || value.iter().any(u8::is_ascii_control) {
                return Err(Malformed::Value(NAMES[index]));
            }
            if fields.0[index].replace(value).is_some() {
                return Err(Malformed::Twice(NAMES[index]));
            }
        }
        Ok(fields)
    }

    fn get(&self, name: &'static str) -> Option<&'a [u8]> {
        self.0[NAMES.iter().position(|known| *known == name)?]
    }

    /// A value in UTF-8, without the control characters beyond ASCII either.
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Malformed> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(value).map_err(|_| Malformed::Value(name))?;
        match text.chars().any(char::is_control) {
            true => Err(Malformed::Value(name)),
            false => Ok(Some(text)),
        }
    }

    /// The same, if there is anything in it.
    fn filled(&self, name: &'static str) -> Result<Option<&'a str>, Malformed> {
        Ok(self.text(name)?.filter(|text| !text.is_empty()))
    }

    fn server(&self) -> Result<Option<SocketAddr>, Malformed> {
        let (server, port) = (self.filled("Auth-Server")?, self.filled("Auth-Port")?);
        let (server, port) = match (server, port) {
            (None, None) => return Ok(None),
            (Some(server), Some(port)) => (server, port),
            (Some(_), None) => return Err(Malformed::Meaning("Auth-Port")),
            (None, Some(_)) => return Err(Malformed::Meaning("Auth-Server")),
        };
        let bare = server
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let ip: IpAddr = bare
            .unwrap_or(server)
            .parse()
            .map_err(|_| Malformed::Meaning("Auth-Server"))?;
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port != 0);
        Ok(Some(SocketAddr::new(
            ip,
            port.ok_or(Malformed::Meaning("Auth-Port"))?,
        )))
    }

    fn user(&self) -> Result<Option<String>, Malformed> {
        let user = self.filled("Auth-User")?;
        match user.is_some_and(|user| user.len() > MAX_USER) {
            true => Err(Malformed::Value("Auth-User")),
            false => Ok(user.map(str::to_owned)),
        }
    }

    fn password(&self) -> Result<Option<Secret>, Malformed> {
        let password = self
            .get("Auth-Pass")
            .filter(|password| !password.is_empty());
        Ok(password.map(Secret::copy_of))
    }

    fn wait(&self) -> Result<Option<Duration>, Malformed> {
        let Some(text) = self.filled("Auth-Wait")? else {
            return Ok(None);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds: Option<u32> = text.parse().ok().filter(|_| digits);
        let seconds = seconds.ok_or(Malformed::Meaning("Auth-Wait"))?;
        // As in nginx, no seconds are no permission to try again.
        Ok((seconds > 0).then(|| Duration::from_secs(seconds.into())))
    }

    /// `535`, or with the enhanced code of RFC 3463, `535 5.7.8`.
    fn error_code(&self) -> Result<Option<String>, Malformed> {
        let Some(text) = self.filled("Auth-Error-Code")? else {
            return Ok(None);
        };
        let (code, enhanced) = text.split_once(' ').unwrap_or((text, ""));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
        };
        let code_good = digits(code, 3) && code.len() == 3 && code.starts_with(['4', '5']);
        let parts: Vec<&str> = enhanced.split('.').collect();
        let enhanced_good = enhanced.is_empty()
            || parts.len() == 3
                && parts[0] == &code[..1]
                && parts.iter().all(|part| digits(part, 3));
        match code_good && enhanced_good {
            true => Ok(Some(text.to_owned())),
            false => Err(Malformed::Meaning("Auth-Error-Code")),
        }
    }
}

/// The characters of a token (RFC 9110 § 5.6.2).
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        token[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let (others, mut at) = (b"!#$%&'*+-.^_`|~", 0);
    while at < others.len() {
        token[others[at] as usize] = true;
        at += 1;
    }
    token
};

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| TOKEN[usize::from(*byte)])
}

#[cfg(test)]
mod tests;
