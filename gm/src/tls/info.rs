//! What was negotiated on a connection, and with whom.

use openssl::ssl::{SslRef, SslVersion};

use super::certificate::Certificate;
use super::{Protocol, ffi, groups, suites};

/// The facts of an established connection.
#[derive(Debug, Clone)]
pub struct TlsInfo {
    /// Protocol version.
    pub protocol: Protocol,
    /// Cipher suite, by its name in the standard.
    pub suite: &'static str,
    /// Key exchange group, by its name in the standard; TLCP has none.
    pub group: Option<&'static str>,
    /// Host name the client asked for, in lower case.
    pub sni: Option<String>,
    /// Application protocol agreed on.
    pub alpn: Option<String>,
    /// An earlier session was resumed.
    pub resumed: bool,
    /// The peer's certificates, if it sent any.
    pub peer: Option<PeerCertificates>,
    /// Whether those were checked.
    pub client_verify: ClientVerify,
}

/// The certificates of the other side.
#[derive(Debug, Clone)]
pub struct PeerCertificates {
    /// The certificate that signs; for TLS, the only one.
    pub sign: Certificate,
    /// TLCP: the certificate that receives keys.
    pub encrypt: Option<Certificate>,
}

/// Outcome of checking the peer's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientVerify {
    /// No certificate was asked for or sent, or checking is switched off.
    None,
    /// The certificate was checked and found good.
    Success,
}

impl ClientVerify {
    /// `NONE` or `SUCCESS`, the words nginx uses for `$ssl_client_verify`.
    pub fn as_str(self) -> &'static str {
        match self {
            ClientVerify::None => "NONE",
            ClientVerify::Success => "SUCCESS",
        }
    }
}

impl TlsInfo {
    /// The suite by the library's name, as nginx tells it: `ECDHE-RSA-AES256-GCM-SHA384`, `ECC-SM2-SM4-GCM-SM3`.
    pub fn library_suite(&self) -> &'static str {
        let known = suites::ALL.iter().find(|suite| suite.name == self.suite);
        known.map_or(self.suite, |suite| suite.library)
    }

    /// Reads the facts off a finished handshake. `verified`: the peer's certificate had to pass our checks.
    pub(super) fn of(ssl: &SslRef, sni: Option<String>, verified: bool) -> TlsInfo {
        let protocol = protocol(ssl);
        let peer = peer(ssl, protocol);
        let checked = verified && peer.is_some();
        TlsInfo {
            protocol,
            suite: suite(ssl),
            group: ffi::negotiated_group(ssl).map(groups::name_of),
            sni,
            alpn: ssl
                .selected_alpn_protocol()
                .map(|p| String::from_utf8_lossy(p).into_owned()),
            resumed: ssl.session_reused(),
            peer,
            client_verify: if checked {
                ClientVerify::Success
            } else {
                ClientVerify::None
            },
        }
    }
}

/// The certificate the peer signs with, if it has shown any.
pub(super) fn signing_certificate(ssl: &SslRef) -> Option<Certificate> {
    peer(ssl, protocol(ssl)).map(|peer| peer.sign)
}

fn protocol(ssl: &SslRef) -> Protocol {
    match ssl.version2() {
        Some(SslVersion::TLS1_3) => Protocol::Tls13,
        Some(SslVersion::TLS1_2) => Protocol::Tls12,
        _ => Protocol::Tlcp,
    }
}

fn suite(ssl: &SslRef) -> &'static str {
    let Some(cipher) = ssl.current_cipher() else {
        return "unknown";
    };
    match suites::by_code(u16::from_be_bytes(cipher.protocol_id())) {
        Some(suite) => suite.name,
        None => cipher.standard_name().unwrap_or(cipher.name()),
    }
}

fn peer(ssl: &SslRef, protocol: Protocol) -> Option<PeerCertificates> {
    if protocol != Protocol::Tlcp {
        let certificate = ssl.peer_certificate()?;
        let sign = Certificate::new(&certificate);
        return Some(PeerCertificates {
            sign,
            encrypt: None,
        });
    }
    let sign = Certificate::new(ssl.ntls_peer_sign_certificate()?);
    let encrypt = ssl.ntls_peer_enc_certificate().map(Certificate::new);
    Some(PeerCertificates { sign, encrypt })
}
