//! What peers and logs are told about a client: formatted at most once per connection.

use std::cell::OnceCell;
use std::net::IpAddr;

use alb_conf::TlsFact;
use alb_core::{Certificate, ConnInfo, TlsInfo};
use http::HeaderValue;

/// The facts of a connection as header values.
#[derive(Debug)]
pub struct Facts {
    /// `https` under TLS or TLCP, else `http`.
    pub scheme: &'static str,
    ip: IpAddr,
    address: HeaderValue,
    /// The port the client connected to.
    pub port: HeaderValue,
    tls: [OnceCell<Option<HeaderValue>>; 12],
}

impl Facts {
    /// The facts of a connection.
    pub fn new(info: &ConnInfo) -> Self {
        Self {
            scheme: if info.tls.is_some() { "https" } else { "http" },
            ip: info.peer.ip().to_canonical(),
            address: value(info.peer.ip().to_canonical().to_string()),
            port: HeaderValue::from(info.local.port()),
            tls: Default::default(),
        }
    }

    /// A client's address as a value: the connection's own is there already.
    pub fn address_of(&self, ip: IpAddr) -> HeaderValue {
        match ip == self.ip {
            true => self.address.clone(),
            false => value(ip.to_string()),
        }
    }

    /// A fact about the client's TLS; `None` where it does not apply.
    pub fn tls(&self, info: &ConnInfo, fact: TlsFact) -> Option<HeaderValue> {
        let tls = info.tls.as_deref()?;
        self.tls[fact as usize]
            .get_or_init(|| text(tls, fact).map(value))
            .clone()
    }
}

/// The node of a `Forwarded` field: an IPv6 address needs brackets and quotes (RFC 7239 §6).
pub fn forwarded_node(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    }
}

fn text(tls: &TlsInfo, fact: TlsFact) -> Option<String> {
    let sign = || tls.peer.verified().map(|p| &p.sign);
    let encrypt = || tls.peer.verified().and_then(|p| p.encrypt.as_ref());
    Some(match fact {
        TlsFact::Protocol => tls.protocol.as_str().to_owned(),
        TlsFact::Suite => tls.suite.to_owned(),
        TlsFact::Sni => tls.sni.clone()?,
        TlsFact::SessionReused => if tls.resumed { "yes" } else { "no" }.to_owned(),
        TlsFact::ClientVerify => tls.peer.verdict().to_owned(),
        TlsFact::ClientSubject => sign()?.subject(),
        TlsFact::ClientIssuer => sign()?.issuer(),
        TlsFact::ClientSerial => sign()?.serial(),
        TlsFact::ClientFingerprint => sign()?.fingerprint(),
        TlsFact::ClientNotAfter => not_after(sign()?),
        TlsFact::ClientCertificate => percent_encoded(&sign()?.to_pem()),
        TlsFact::ClientEncryptCertificate => percent_encoded(&encrypt()?.to_pem()),
    })
}

fn not_after(certificate: &Certificate) -> String {
    let seconds = u64::try_from(certificate.not_after()).unwrap_or_default();
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

/// As nginx's `$ssl_client_escaped_cert`: everything but unreserved characters (RFC 3986 §2.3).
fn percent_encoded(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(*byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A subject may hold any character: one that a field cannot carry becomes `?`, so that a name cannot forge a field.
fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("?"))
}
