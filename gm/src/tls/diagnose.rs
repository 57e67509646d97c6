//! From the library's error codes to a reason, a sentence and a remedy.

use std::io::ErrorKind;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, ErrorCode, SslAlert};
use openssl_sys as sys;

use super::certificate::rfc3339;
use super::error::{HandshakeError, Reason};
use super::handshake::Side;
use super::verify::{Failure, Verification};

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
        return certificate_refused(failure, side);
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

fn from_code(code: i32, error: &Error, side: Side, notes: &Verification) -> HandshakeError {
    if let Some(alert) = SslAlert::from_reason_code(code) {
        return alert_received(&alert, side);
    }
    let peer = side.peer();
    let new = |reason, message: String, help: &str| HandshakeError::new(reason, message, help);
    match code {
        NO_SHARED_CIPHER => new(
            Reason::NoCommonSuite,
            format!("no cipher suite in common with the {peer}"),
            no_suite_help(side),
        ),
        UNSUPPORTED_PROTOCOL | UNKNOWN_PROTOCOL | WRONG_VERSION_NUMBER | VERSION_TOO_LOW => new(
            Reason::NoCommonProtocol,
            format!("no protocol version in common with the {peer}"),
            "allow one it speaks with `protocols`; TLS 1.1 and older are never spoken",
        ),
        NO_SHARED_GROUPS | NO_SUITABLE_GROUPS | NO_SUITABLE_KEY_SHARE | BAD_KEY_SHARE => new(
            Reason::NoCommonGroup,
            format!("no key exchange group in common with the {peer}"),
            "allow one it speaks with `groups`",
        ),
        NO_SUITABLE_SIGNATURE_ALGORITHM | NO_SHARED_SIGNATURE_ALGORITHMS => new(
            Reason::NoCommonSignature,
            format!("the {peer} accepts no signature our certificates can make"),
            "an SM2 certificate needs a peer that knows sm2sig_sm3 (RFC 8998); give the name an RSA or ECDSA certificate too",
        ),
        NO_APPLICATION_PROTOCOL => new(
            Reason::NoCommonAlpn,
            format!("no application protocol (ALPN) in common with the {peer}"),
            "extend `alpn`",
        ),
        PEER_DID_NOT_RETURN_A_CERTIFICATE | NO_CERTIFICATES_RETURNED => {
            certificate_missing(code, side)
        }
        WRONG_CERTIFICATE_TYPE => wrong_usage(notes, side),
        CERTIFICATE_VERIFY_FAILED => new(
            Reason::CertificateInvalid,
            format!("the {peer} sent no certificates that could be checked"),
            "",
        ),
        BAD_SIGNATURE
        | DECRYPTION_FAILED
        | DIGEST_CHECK_FAILED
        | DECRYPTION_FAILED_OR_BAD_RECORD_MAC => new(
            Reason::Crypto,
            format!("a signature or key exchange of the {peer} does not check out ({error})"),
            "its private key may not belong to its certificate, or its implementation deviates from the standard",
        ),
        UNEXPECTED_EOF => HandshakeError::from_io(ErrorKind::UnexpectedEof.into()),
        _ => new(
            Reason::Protocol,
            format!("the {peer} broke the protocol: {error}"),
            "",
        ),
    }
}

fn no_suite_help(side: Side) -> &'static str {
    match side {
        Side::Server => {
            "compare what was offered with `suites` and with the kinds of certificates of this name"
        }
        Side::Client => "compare `suites` with what the server allows",
    }
}

fn certificate_missing(code: i32, side: Side) -> HandshakeError {
    let peer = side.peer();
    let message = match code {
        NO_CERTIFICATES_RETURNED => {
            format!("the {peer} did not show a signing and an encryption certificate")
        }
        _ => format!("the {peer} did not show a certificate, and one is required"),
    };
    let help = "install a certificate in the client (TLCP: signing and encryption, both), or set client_auth.mode = \"optional\"";
    HandshakeError::new(Reason::CertificateMissing, message, help)
}

fn wrong_usage(notes: &Verification, side: Side) -> HandshakeError {
    let peer = side.peer();
    let [encrypt, sign] = notes.leaves.as_slice() else {
        let message = format!("a certificate of the {peer} is not for this use");
        return HandshakeError::new(
            Reason::CertificateWrongUsage,
            message,
            "have it issued with the right key usage",
        );
    };
    let words = |c: &super::Certificate| {
        c.usages()
            .map_or_else(|| "nothing (no KeyUsage)".into(), |u| u.join(", "))
    };
    let (first, second) = (words(sign), words(encrypt));
    if sign.may_encrypt() && encrypt.may_sign() && !(sign.may_sign() && encrypt.may_encrypt()) {
        let message = format!(
            "the {peer} sent its signing and encryption certificates exchanged: the first is for {first}, the second for {second}"
        );
        return HandshakeError::new(
            Reason::CertificateWrongUsage,
            message,
            format!("exchange the two in the {peer}'s configuration, with their keys"),
        );
    }
    let message = format!(
        "the {peer}'s signing certificate is for {first}, its encryption certificate for {second}"
    );
    HandshakeError::new(
        Reason::CertificateWrongUsage,
        message,
        "they need digitalSignature, and keyEncipherment, dataEncipherment or keyAgreement",
    )
}

fn alert_received(alert: &SslAlert, side: Side) -> HandshakeError {
    let peer = side.peer();
    let number = alert.reason_code() - sys::SSL_AD_REASON_OFFSET;
    let message = format!("the {peer} refused with alert {number} ({alert})");
    HandshakeError::new(Reason::PeerAlert, message, alert_help(number, side))
}

/// What the alerts usually mean, in RFC 8446 §6.2 and GB/T 38636 §6.4.2.
fn alert_help(number: i32, side: Side) -> &'static str {
    match (number, side) {
        (40, _) => "it usually means that no cipher suite or no certificate suits it",
        (42..=46, Side::Server) => {
            "it does not accept our certificate: look at its dates, its names, its usage and its issuer"
        }
        (42..=46, Side::Client) => {
            "it does not accept our certificate: look at `identity` of the upstream"
        }
        (48, Side::Server) => {
            "it does not know the authority that issued our certificate: install the CA in it, or send the intermediate certificates with ours"
        }
        (48, Side::Client) => {
            "it does not know the authority that issued our certificate: install the CA there"
        }
        (116, _) => "it wants a certificate and got none",
        (70, _) => "it does not speak this protocol version",
        (112, _) => "it does not know the name it was asked for",
        (120, _) => "no application protocol (ALPN) in common",
        _ => "",
    }
}

fn certificate_refused(failure: &Failure, side: Side) -> HandshakeError {
    let peer = side.peer();
    let code = failure.result.as_raw();
    let (subject, issuer, after, before, serial) = match &failure.certificate {
        Some(c) => (
            c.subject(),
            c.issuer(),
            rfc3339(c.not_after()),
            rfc3339(c.not_before()),
            c.serial(),
        ),
        None => Default::default(),
    };
    let whose = match failure.depth {
        0 => format!("the {peer}'s certificate `{subject}`"),
        _ => format!("`{subject}` in the chain of the {peer}'s certificate"),
    };
    let new = |reason, message: String, help: &str| HandshakeError::new(reason, message, help);
    match code {
        sys::X509_V_ERR_CERT_HAS_EXPIRED => new(
            Reason::CertificateExpired,
            format!("{whose} expired at {after}"),
            "have it renewed",
        ),
        sys::X509_V_ERR_CERT_NOT_YET_VALID => new(
            Reason::CertificateNotYetValid,
            format!("{whose} is not valid before {before}"),
            "check the clocks on both sides",
        ),
        sys::X509_V_ERR_CERT_REVOKED => new(
            Reason::CertificateRevoked,
            format!("{whose} (serial {serial}) has been revoked by `{issuer}`"),
            "it must not be used any more; have a new one issued",
        ),
        sys::X509_V_ERR_INVALID_PURPOSE
        | sys::X509_V_ERR_KEYUSAGE_NO_CERTSIGN
        | sys::X509_V_ERR_INVALID_CA => new(
            Reason::CertificateWrongUsage,
            format!("{whose} is not for this use ({})", failure.result),
            side.usage_help(),
        ),
        sys::X509_V_ERR_HOSTNAME_MISMATCH | sys::X509_V_ERR_IP_ADDRESS_MISMATCH => new(
            Reason::CertificateWrongName,
            format!("{whose} is for {}", names(failure)),
            "set `server_name` to a name the certificate has, or have it issued for the name used",
        ),
        sys::X509_V_ERR_CERT_CHAIN_TOO_LONG => new(
            Reason::CertificateChainTooLong,
            format!(
                "the chain of the {peer}'s certificate is too long at `{subject}` ({})",
                failure.result
            ),
            "raise `depth` if so many authorities in between are meant",
        ),
        sys::X509_V_ERR_UNABLE_TO_GET_CRL
        | sys::X509_V_ERR_CRL_HAS_EXPIRED
        | sys::X509_V_ERR_CRL_NOT_YET_VALID => new(
            Reason::RevocationUnknown,
            format!(
                "there is no current revocation list for {whose} ({})",
                failure.result
            ),
            "fetch the newest list of the issuer and name it in `crl`",
        ),
        sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | sys::X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | sys::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        | sys::X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN => new(
            Reason::CertificateUnknownIssuer,
            format!("{whose} was issued by `{issuer}`, which no authority in `ca` vouches for"),
            "if that issuer is to be believed, add its certificate to `ca`",
        ),
        _ => new(
            Reason::CertificateInvalid,
            format!("{whose} is refused: {}", failure.result),
            "",
        ),
    }
}

fn names(failure: &Failure) -> String {
    let names = failure
        .certificate
        .as_ref()
        .map(|c| c.names())
        .unwrap_or_default();
    if names.is_empty() {
        "no name at all".into()
    } else {
        format!("`{}`", names.join("`, `"))
    }
}
