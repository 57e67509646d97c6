//! The request, as nginx 1.22 and later write it. Checked against nginx itself by the tests.

use std::fmt::Write;

use alb_conf::{MailAuthHttp, MailProtocol};
use alb_core::{Protocol, TlsInfo};
use memchr::memchr3;

use super::super::decision::{Attempt, Envelope};
use crate::sasl::Proof;
use crate::secret::Draft;

/// How the client proves itself.
#[derive(Clone, Copy)]
pub enum Method<'a> {
    /// Any way that shows the password.
    Plain(&'a [u8]),
    /// APOP, with challenge and digest.
    Apop(&'a str, &'a [u8]),
    /// CRAM-MD5, with challenge and digest.
    CramMd5(&'a str, &'a [u8]),
    /// By its certificate.
    External,
    /// Not at all: mail without login.
    None(Envelope<'a>),
}

/// Bytes of all names of fields, addresses, words and numbers in a request.
const NAMES_AND_NUMBERS: usize = 1536;

/// What is the same in every request.
pub struct Settings {
    start: String,
    host: Option<String>,
    headers: String,
    pass_certificate: bool,
}

impl<'a> Method<'a> {
    /// The method for a proof; `None` for those the protocol has no word for.
    pub fn of(proof: &'a Proof) -> Option<Self> {
        match proof {
            Proof::Password(password) => Some(Method::Plain(password.as_bytes())),
            Proof::Apop { challenge, digest } => Some(Method::Apop(challenge, digest.as_bytes())),
            Proof::CramMd5 { challenge, digest } => {
                Some(Method::CramMd5(challenge, digest.as_bytes()))
            }
            Proof::Certificate => Some(Method::External),
            Proof::Token { .. } | Proof::PassThrough { .. } => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Method::Plain(_) => "plain",
            Method::Apop(..) => "apop",
            Method::CramMd5(..) => "cram-md5",
            Method::External => "external",
            Method::None(_) => "none",
        }
    }

    fn password(self) -> &'a [u8] {
        match self {
            Method::Plain(secret) | Method::Apop(_, secret) | Method::CramMd5(_, secret) => secret,
            Method::External | Method::None(_) => b"",
        }
    }

    fn salt(self) -> Option<&'a str> {
        match self {
            Method::Apop(challenge, _) | Method::CramMd5(challenge, _) => Some(challenge),
            _ => None,
        }
    }
}

impl Settings {
    pub(super) fn new(written: &MailAuthHttp) -> Self {
        let fields = written.headers.iter();
        let fields = fields.map(|(name, value)| format!("{name}: {value}\r\n"));
        // Not nginx's: it asks each time anew.
        let stay = ["", "Connection: keep-alive\r\n"][usize::from(written.keepalive > 0)];
        Settings {
            start: format!("GET {} HTTP/1.0\r\nHost: ", *written.path),
            host: written.host.as_ref().map(|host| host.to_string()),
            headers: fields.collect::<String>() + stay,
            pass_certificate: written.pass_client_certificate,
        }
    }

    /// Writes a request. `host` is that of the peer.
    pub(super) fn write(
        &self,
        host: &str,
        attempt: &Attempt<'_>,
        method: Method<'_>,
        user: &str,
    ) -> Draft {
        let room = self.room(host, attempt, method, user);
        let mut out = Lines(Draft::with_room(room));
        out.0.extend_from_slice(self.start.as_bytes());
        out.0
            .extend_from_slice(self.host.as_deref().unwrap_or(host).as_bytes());
        out.0.extend_from_slice(b"\r\n");
        out.verbatim("Auth-Method", method.name().as_bytes());
        out.escaped("Auth-User", user.as_bytes());
        out.escaped("Auth-Pass", method.password());
        if let Some(salt) = method.salt() {
            out.verbatim("Auth-Salt", salt.as_bytes());
        }
        out.verbatim("Auth-Protocol", attempt.protocol.as_str().as_bytes());
        out.line("Auth-Login-Attempt", attempt.number);
        self.write_client(&mut out, attempt);
        if let Method::None(envelope) = method {
            out.escaped("Auth-SMTP-Helo", envelope.helo);
            out.verbatim("Auth-SMTP-From", envelope.mail);
            out.verbatim("Auth-SMTP-To", envelope.rcpt);
        }
        if let Some(tls) = attempt.tls() {
            self.write_tls(&mut out, tls);
        }
        out.0.extend_from_slice(self.headers.as_bytes());
        out.0.extend_from_slice(b"\r\n");
        out.0
    }

    /// Bytes that a request takes at most, so that no copy of the password is left behind by growing.
    fn room(&self, host: &str, attempt: &Attempt<'_>, method: Method<'_>, user: &str) -> usize {
        let host = self.host.as_deref().unwrap_or(host);
        let fixed = self.start.len() + host.len() + self.headers.len();
        let envelope = match method {
            Method::None(envelope) => {
                3 * envelope.helo.len() + envelope.mail.len() + envelope.rcpt.len()
            }
            _ => 0,
        };
        let shown = 3 * (user.len() + method.password().len());
        let salt = method.salt().map_or(0, str::len);
        let certificate = match attempt.tls().and_then(|tls| tls.peer.verified()) {
            Some(_) => 64 * 1024,
            None => 0,
        };
        NAMES_AND_NUMBERS + fixed + envelope + shown + salt + certificate
    }

    fn write_client(&self, out: &mut Lines, attempt: &Attempt<'_>) {
        let conn = attempt.conn;
        out.line("Client-IP", conn.peer.ip().to_canonical());
        if attempt.protocol == MailProtocol::Smtp {
            out.verbatim("Client-Host", attempt.client_name.as_str().as_bytes());
        }
        if conn.via.is_some() {
            out.line("Proxy-Protocol-Addr", conn.peer.ip().to_canonical());
            out.line("Proxy-Protocol-Port", conn.peer.port());
            out.line("Proxy-Protocol-Server-Addr", conn.local.ip().to_canonical());
            out.line("Proxy-Protocol-Server-Port", conn.local.port());
        }
    }

    fn write_tls(&self, out: &mut Lines, tls: &TlsInfo) {
        out.line("Auth-SSL", "on");
        out.line("Auth-SSL-Protocol", protocol(tls.protocol));
        out.line("Auth-SSL-Cipher", tls.library_suite());
        out.line("Auth-SSL-Verify", tls.peer.verdict());
        // One that nobody verified says nothing about the client.
        let Some(peer) = tls.peer.verified() else {
            return;
        };
        out.line("Auth-SSL-Subject", peer.sign.subject());
        out.line("Auth-SSL-Issuer", peer.sign.issuer());
        out.line("Auth-SSL-Serial", peer.sign.serial());
        out.line("Auth-SSL-Fingerprint", peer.sign.fingerprint_sha1());
        if self.pass_certificate {
            out.escaped("Auth-SSL-Cert", &peer.sign.to_pem());
        }
        if let Some(encrypt) = &peer.encrypt {
            out.line("Auth-SSL-Enc-Subject", encrypt.subject());
        }
    }
}

/// The lines of a request. Nothing that is written can end one.
struct Lines(Draft);

impl Lines {
    /// A field whose value has no line ends by its nature, and loses them otherwise.
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        self.name(name);
        // Writing to memory does not fail.
        let _ = write!(self, "{value}");
        self.0.extend_from_slice(b"\r\n");
    }

    /// A field as nginx escapes it: what is up to 0x20, and `%`.
    fn escaped(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        for byte in value {
            match byte {
                0..=0x20 | b'%' => {
                    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                    let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                    self.0.extend_from_slice(&[b'%', DIGITS[high], DIGITS[low]]);
                }
                byte => self.0.push(*byte),
            }
        }
        self.0.extend_from_slice(b"\r\n");
    }

    /// A field as it is, without line ends and NULs.
    fn verbatim(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.harmless(value);
        self.0.extend_from_slice(b"\r\n");
    }

    /// What is no line end and no NUL.
    fn harmless(&mut self, value: &[u8]) {
        if memchr3(b'\r', b'\n', 0, value).is_none() {
            return self.0.extend_from_slice(value);
        }
        let harmless = |byte: &&u8| !matches!(**byte, b'\r' | b'\n' | 0);
        self.0.extend(value.iter().filter(harmless));
    }

    fn name(&mut self, name: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b": ");
    }
}

impl std::fmt::Write for Lines {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.harmless(text.as_bytes());
        Ok(())
    }
}

/// The names of OpenSSL, and Tongsuo's for TLCP.
fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tlcp => "TLCPv1.1",
        Protocol::Tls12 => "TLSv1.2",
        Protocol::Tls13 => "TLSv1.3",
    }
}

#[cfg(test)]
mod tests;
