//! What was negotiated on a connection, and with whom.

use std::sync::Arc;

use openssl::ssl::{SslRef, SslVersion};
use openssl::x509::X509VerifyResult;

use super::certificate::Certificate;
use super::error::{HandshakeError, Reason};
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
    /// What the peer's certificates are worth.
    pub peer: Peer,
}

/// The certificates of the other side.
#[derive(Debug, Clone)]
pub struct PeerCertificates {
    /// The certificate that signs; for TLS, the only one.
    pub sign: Certificate,
    /// TLCP: the certificate that receives keys.
    pub encrypt: Option<Certificate>,
}

/// The certificates of the other side, by what they are worth. Only verified ones say who the peer is.
#[derive(Debug, Clone)]
pub enum Peer {
    /// None was asked for, or none was shown.
    None,
    /// They were checked and found good.
    Verified(PeerCertificates),
    /// They were shown to a side that does not check any: an upstream's, with `verify = false`.
    Unchecked(PeerCertificates),
    /// They were checked and refused, and the handshake went on so that the client can be told.
    Rejected(Arc<Rejection>),
}

/// Certificates that were refused.
#[derive(Debug)]
pub struct Rejection {
    /// Why, as one of a closed set.
    pub reason: Reason,
    /// One sentence: what was seen and what was expected.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// What was shown; for logs only.
    pub shown: PeerCertificates,
}

impl Peer {
    /// The certificates that say who the peer is.
    pub fn verified(&self) -> Option<&PeerCertificates> {
        match self {
            Peer::Verified(peer) => Some(peer),
            Peer::None | Peer::Unchecked(_) | Peer::Rejected(_) => None,
        }
    }

    /// What the peer has shown, good or not: for logs and reports, not to know the peer by.
    pub fn shown(&self) -> Option<&PeerCertificates> {
        match self {
            Peer::None => None,
            Peer::Verified(peer) | Peer::Unchecked(peer) => Some(peer),
            Peer::Rejected(rejection) => Some(&rejection.shown),
        }
    }

    /// Why the certificates were refused, if they were.
    pub fn rejection(&self) -> Option<&Rejection> {
        match self {
            Peer::Rejected(rejection) => Some(rejection),
            Peer::None | Peer::Verified(_) | Peer::Unchecked(_) => None,
        }
    }

    /// `NONE`, `SUCCESS` or `FAILED`, the words nginx uses for `$ssl_client_verify`.
    pub fn verdict(&self) -> &'static str {
        match self {
            Peer::None | Peer::Unchecked(_) => "NONE",
            Peer::Verified(_) => "SUCCESS",
            Peer::Rejected(_) => "FAILED",
        }
    }

    /// `checked`: certificates had to pass our checks. `refused`: these have not.
    fn of(
        ssl: &SslRef,
        protocol: Protocol,
        checked: bool,
        refused: Option<HandshakeError>,
    ) -> Peer {
        let Some(shown) = peer(ssl, protocol) else {
            return Peer::None;
        };
        match refused {
            Some(error) => Peer::Rejected(Arc::new(Rejection {
                reason: error.reason,
                message: error.message,
                help: error.help,
                shown,
            })),
            // Of a resumed session, the result of its full handshake.
            None if checked && ssl.verify_result() == X509VerifyResult::OK => Peer::Verified(shown),
            None => Peer::Unchecked(shown),
        }
    }
}

impl TlsInfo {
    /// The suite by the library's name, as nginx tells it: `ECDHE-RSA-AES256-GCM-SHA384`, `ECC-SM2-SM4-GCM-SM3`.
    pub fn library_suite(&self) -> &'static str {
        let known = suites::ALL.iter().find(|suite| suite.name == self.suite);
        known.map_or(self.suite, |suite| suite.library)
    }

    /// Reads the facts off a finished handshake. `checked`: the peer's certificates had to pass our checks. `refused`:
    /// these have not, and the handshake went on.
    pub(super) fn of(
        ssl: &SslRef,
        sni: Option<String>,
        checked: bool,
        refused: Option<HandshakeError>,
    ) -> TlsInfo {
        let protocol = protocol(ssl);
        TlsInfo {
            protocol,
            suite: suite(ssl),
            group: ffi::negotiated_group(ssl).map(groups::name_of),
            sni,
            alpn: ssl
                .selected_alpn_protocol()
                .map(|p| String::from_utf8_lossy(p).into_owned()),
            resumed: ssl.session_reused(),
            peer: Peer::of(ssl, protocol, checked, refused),
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
