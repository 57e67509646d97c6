//! A failed handshake, explained.

use std::fmt;
use std::io;

use super::client_hello::ClientHello;
use super::protocol::version_name;
use super::suites;

/// Why a handshake failed. A closed set, to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It took longer than allowed.
    Timeout,
    /// The peer closed the connection before the end.
    PeerClosed,
    /// The transport failed.
    Io,
    /// Plain HTTP on an encrypted port.
    PlainHttp,
    /// Neither TLS nor TLCP.
    NotTls,
    /// A hello that breaks the rules.
    MalformedHello,
    /// No protocol version in common.
    NoCommonProtocol,
    /// No cipher suite in common.
    NoCommonSuite,
    /// No key exchange group in common.
    NoCommonGroup,
    /// No signature algorithm in common with our certificates.
    NoCommonSignature,
    /// No application protocol in common.
    NoCommonAlpn,
    /// Nothing to show for the name and protocol asked for.
    NoIdentity,
    /// Refused so that the client comes back with TLCP.
    PreferGm,
    /// The peer showed no certificate where one is required.
    CertificateMissing,
    /// Issued by nobody we believe.
    CertificateUnknownIssuer,
    /// Past its end.
    CertificateExpired,
    /// Not valid yet.
    CertificateNotYetValid,
    /// Revoked by its issuer.
    CertificateRevoked,
    /// Not for this use, or signing and encryption exchanged.
    CertificateWrongUsage,
    /// Issued for another name.
    CertificateWrongName,
    /// Its key is none of those pinned.
    CertificateNotPinned,
    /// More certificates between it and its authority than allowed.
    CertificateChainTooLong,
    /// A revocation list is missing or out of date.
    RevocationUnknown,
    /// Refused for another reason.
    CertificateInvalid,
    /// The peer refused us with an alert.
    PeerAlert,
    /// A signature, key exchange or record did not check out.
    Crypto,
    /// The peer broke the protocol in another way.
    Protocol,
    /// Our own fault.
    Internal,
}

impl Reason {
    /// Every reason, to make counters of.
    pub const ALL: [Reason; 28] = [
        Reason::Timeout,
        Reason::PeerClosed,
        Reason::Io,
        Reason::PlainHttp,
        Reason::NotTls,
        Reason::MalformedHello,
        Reason::NoCommonProtocol,
        Reason::NoCommonSuite,
        Reason::NoCommonGroup,
        Reason::NoCommonSignature,
        Reason::NoCommonAlpn,
        Reason::NoIdentity,
        Reason::PreferGm,
        Reason::CertificateMissing,
        Reason::CertificateUnknownIssuer,
        Reason::CertificateExpired,
        Reason::CertificateNotYetValid,
        Reason::CertificateRevoked,
        Reason::CertificateWrongUsage,
        Reason::CertificateWrongName,
        Reason::CertificateNotPinned,
        Reason::CertificateChainTooLong,
        Reason::RevocationUnknown,
        Reason::CertificateInvalid,
        Reason::PeerAlert,
        Reason::Crypto,
        Reason::Protocol,
        Reason::Internal,
    ];

    /// The name of its counter.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Timeout => "timeout",
            Reason::PeerClosed => "peer_closed",
            Reason::Io => "io",
            Reason::PlainHttp => "plain_http",
            Reason::NotTls => "not_tls",
            Reason::MalformedHello => "malformed_hello",
            Reason::NoCommonProtocol => "no_common_protocol",
            Reason::NoCommonSuite => "no_common_suite",
            Reason::NoCommonGroup => "no_common_group",
            Reason::NoCommonSignature => "no_common_signature",
            Reason::NoCommonAlpn => "no_common_alpn",
            Reason::NoIdentity => "no_identity",
            Reason::PreferGm => "prefer_gm",
            Reason::CertificateMissing => "certificate_missing",
            Reason::CertificateUnknownIssuer => "certificate_unknown_issuer",
            Reason::CertificateExpired => "certificate_expired",
            Reason::CertificateNotYetValid => "certificate_not_yet_valid",
            Reason::CertificateRevoked => "certificate_revoked",
            Reason::CertificateWrongUsage => "certificate_wrong_usage",
            Reason::CertificateWrongName => "certificate_wrong_name",
            Reason::CertificateNotPinned => "certificate_not_pinned",
            Reason::CertificateChainTooLong => "certificate_chain_too_long",
            Reason::RevocationUnknown => "revocation_unknown",
            Reason::CertificateInvalid => "certificate_invalid",
            Reason::PeerAlert => "peer_alert",
            Reason::Crypto => "crypto",
            Reason::Protocol => "protocol",
            Reason::Internal => "internal",
        }
    }
}

/// What a client offered, as far as it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHelloFacts {
    /// Versions, by name.
    pub versions: Vec<String>,
    /// Suites, by their names in the standards, or their numbers.
    pub suites: Vec<String>,
    /// Host name.
    pub sni: Option<String>,
    /// Application protocols.
    pub alpn: Vec<String>,
}

impl From<&ClientHello> for ClientHelloFacts {
    fn from(hello: &ClientHello) -> Self {
        ClientHelloFacts {
            versions: hello.versions.iter().map(|&v| version_name(v)).collect(),
            suites: hello
                .suites
                .iter()
                .filter(|&&s| !is_signal(s))
                .map(|&s| suites::name_of(s))
                .collect(),
            sni: hello.sni.clone(),
            alpn: hello.alpn.clone(),
        }
    }
}

impl fmt::Display for ClientHelloFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.versions.is_empty() {
            return f.write_str("nothing");
        }
        write!(
            f,
            "versions {}; suites {}",
            self.versions.join(" "),
            self.suites.join(" ")
        )?;
        if let Some(name) = &self.sni {
            write!(f, "; name {name}")?;
        }
        if !self.alpn.is_empty() {
            write!(f, "; alpn {}", self.alpn.join(" ").escape_debug())?;
        }
        Ok(())
    }
}

/// A handshake that failed: for the log, for counters, and for whoever has to put it right.
#[derive(Debug)]
pub struct HandshakeError {
    /// Why, as one of a closed set.
    pub reason: Reason,
    /// What the client offered; empty towards an upstream.
    pub offered: Box<ClientHelloFacts>,
    /// One sentence: what was seen and what was expected.
    pub message: String,
    /// What to do about it; may be empty.
    pub help: String,
    /// The failure of the transport, if that was it.
    pub io: Option<io::Error>,
}

impl HandshakeError {
    pub(super) fn new(reason: Reason, message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), help.into());
        HandshakeError {
            reason,
            offered: Box::default(),
            message,
            help,
            io: None,
        }
    }

    pub(super) fn from_io(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => {
                let message = "the peer closed the connection during the handshake";
                HandshakeError {
                    io: Some(error),
                    ..Self::new(Reason::PeerClosed, message, "")
                }
            }
            _ => {
                let message = format!("the transport failed during the handshake: {error}");
                HandshakeError {
                    io: Some(error),
                    ..Self::new(Reason::Io, message, "")
                }
            }
        }
    }

    pub(super) fn offered(mut self, hello: Option<&ClientHello>) -> Self {
        self.offered = hello.map(|h| Box::new(h.into())).unwrap_or_default();
        self
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.io.as_ref().map(|e| e as _)
    }
}

/// Signalling values that are no suites: TLS_EMPTY_RENEGOTIATION_INFO_SCSV, TLS_FALLBACK_SCSV.
fn is_signal(code: u16) -> bool {
    matches!(code, 0x00FF | 0x5600)
}
