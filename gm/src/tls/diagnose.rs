//! From the library's error codes to a reason, a sentence and a remedy.

mod alerts;
pub(super) mod certificates;
mod pins;

use std::io::ErrorKind;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode, SslAlert};

use super::error::{HandshakeError, Reason};
use super::handshake::Side;
use super::verify::Verification;

pub(super) use pins::{keyless, not_pinned};

/// Number of the SSL library among those of Tongsuo (err.h).
const ERR_LIB_SSL: i32 = 20;
// Reason codes of the SSL library (sslerr.h), which no crate binds.
const NO_SUITABLE_KEY_SHARE: i32 = 101;
const BAD_KEY_SHARE: i32 = 108;
const NO_SUITABLE_SIGNATURE_ALGORITHM: i32 = 118;
const BAD_SIGNATURE: i32 = 123;
const CERTIFICATE_VERIFY_FAILED: i32 = 134;
const DECRYPTION_FAILED: i32 = 147;
const DIGEST_CHECK_FAILED: i32 = 149;
const NO_CERTIFICATES_RETURNED: i32 = 176;
const NO_SHARED_CIPHER: i32 = 193;
const PEER_DID_NOT_RETURN_A_CERTIFICATE: i32 = 199;
const NO_APPLICATION_PROTOCOL: i32 = 235;
const UNKNOWN_PROTOCOL: i32 = 252;
const UNSUPPORTED_PROTOCOL: i32 = 258;
const WRONG_VERSION_NUMBER: i32 = 267;
const DECRYPTION_FAILED_OR_BAD_RECORD_MAC: i32 = 281;
const UNEXPECTED_EOF: i32 = 294;
const NO_SUITABLE_GROUPS: i32 = 295;
const NO_SHARED_SIGNATURE_ALGORITHMS: i32 = 376;
const WRONG_CERTIFICATE_TYPE: i32 = 383;
const VERSION_TOO_LOW: i32 = 396;
const NO_SHARED_GROUPS: i32 = 410;

/// Explains a handshake that Tongsuo ended.
pub(super) fn explain(
    error: Error,
    ended: bool,
    side: Side,
    notes: &Verification,
) -> HandshakeError {
    if let Some(failure) = &notes.failure {
        return certificates::refused(failure, side);
    }
    let reason = error.ssl_error().and_then(reason_code);
    match reason {
        Some(code) => from_code(code, &error, side, notes),
        None if ended || matches!(error.code(), ErrorCode::ZERO_RETURN) => {
            HandshakeError::from_io(ErrorKind::UnexpectedEof.into())
        }
        None => match error.into_io_error() {
            Ok(io) => HandshakeError::from_io(io),
            Err(other) => HandshakeError::new(
                Reason::Internal,
                format!("the handshake failed: {other}"),
                "",
            ),
        },
    }
}

/// The code that tells most: the first of the SSL library.
fn reason_code(stack: &ErrorStack) -> Option<i32> {
    stack
        .errors()
        .iter()
        .find(|e| e.library_code() == ERR_LIB_SSL)
        .map(|e| e.reason_code())
}

/// From a code to the words for it.
fn from_code(code: i32, error: &Error, side: Side, notes: &Verification) -> HandshakeError {
    if let Some(alert) = SslAlert::from_reason_code(code) {
        return alerts::received(&alert, side);
    }
    match code {
        NO_CERTIFICATES_RETURNED => {
            certificates::missing("a signing and an encryption certificate", side)
        }
        PEER_DID_NOT_RETURN_A_CERTIFICATE => {
            certificates::missing("a certificate, and one is required", side)
        }
        WRONG_CERTIFICATE_TYPE => certificates::wrong_usage(&notes.leaves, side),
        UNEXPECTED_EOF => HandshakeError::from_io(ErrorKind::UnexpectedEof.into()),
        _ => {
            let reason = classify(code);
            HandshakeError::new(reason, sentence(reason, error, side), remedy(reason, side))
        }
    }
}

fn classify(code: i32) -> Reason {
    match code {
        NO_SHARED_CIPHER => Reason::NoCommonSuite,
        UNSUPPORTED_PROTOCOL | UNKNOWN_PROTOCOL | WRONG_VERSION_NUMBER | VERSION_TOO_LOW => {
            Reason::NoCommonProtocol
        }
        NO_SHARED_GROUPS | NO_SUITABLE_GROUPS | NO_SUITABLE_KEY_SHARE | BAD_KEY_SHARE => {
            Reason::NoCommonGroup
        }
        NO_SUITABLE_SIGNATURE_ALGORITHM | NO_SHARED_SIGNATURE_ALGORITHMS => {
            Reason::NoCommonSignature
        }
        NO_APPLICATION_PROTOCOL => Reason::NoCommonAlpn,
        CERTIFICATE_VERIFY_FAILED => Reason::CertificateInvalid,
        BAD_SIGNATURE
        | DECRYPTION_FAILED
        | DIGEST_CHECK_FAILED
        | DECRYPTION_FAILED_OR_BAD_RECORD_MAC => Reason::Crypto,
        _ => Reason::Protocol,
    }
}

fn sentence(reason: Reason, error: &Error, side: Side) -> String {
    let peer = side.peer();
    let common = |what: &str| format!("no {what} in common with the {peer}");
    match reason {
        Reason::NoCommonSuite => common("cipher suite"),
        Reason::NoCommonProtocol => common("protocol version"),
        Reason::NoCommonGroup => common("key exchange group"),
        Reason::NoCommonAlpn => common("application protocol (ALPN)"),
        Reason::NoCommonSignature => {
            format!("the {peer} accepts no signature our certificates can make")
        }
        Reason::CertificateInvalid => {
            format!("the {peer} sent no certificates that could be checked")
        }
        Reason::Crypto => {
            format!("a signature or key exchange of the {peer} does not check out ({error})")
        }
        _ => format!("the {peer} broke the protocol: {error}"),
    }
}

fn remedy(reason: Reason, side: Side) -> &'static str {
    match (reason, side) {
        (Reason::NoCommonSuite, Side::Server) => {
            "compare what was offered with `suites` and with the kinds of certificates of this name"
        }
        (Reason::NoCommonSuite, Side::Client) => "compare `suites` with what the server allows",
        (Reason::NoCommonProtocol, _) => {
            "allow one it speaks with `protocols`; TLS 1.1 and older are never spoken"
        }
        (Reason::NoCommonGroup, _) => "allow one it speaks with `groups`",
        (Reason::NoCommonAlpn, _) => "extend `alpn`",
        (Reason::NoCommonSignature, _) => {
            "an SM2 certificate needs a peer that knows sm2sig_sm3 (RFC 8998); \
             give the name an RSA or ECDSA certificate too"
        }
        (Reason::Crypto, _) => {
            "its private key may not belong to its certificate, or its implementation deviates from the standard"
        }
        _ => "",
    }
}
