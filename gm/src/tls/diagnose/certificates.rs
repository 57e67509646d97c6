//! What is wrong with a peer's certificates, and what to do about it.

use openssl_sys as sys;

use crate::tls::certificate::Certificate;
use crate::tls::error::{HandshakeError, Reason};
use crate::tls::handshake::Side;
use crate::tls::time::rfc3339;
use crate::tls::verify::Failure;

/// The peer did not show what it should have: `what`.
pub(super) fn missing(what: &str, side: Side) -> HandshakeError {
    let message = format!("the {} did not show {what}", side.peer());
    let help = "install a certificate in the client (TLCP: signing and encryption, both), \
                or set client_auth.mode = \"optional\"";
    HandshakeError::new(Reason::CertificateMissing, message, help)
}

/// Certificates that are not for their use. `leaves`: encryption, then signing, as Tongsuo verifies them.
pub(super) fn wrong_usage(leaves: &[Certificate], side: Side) -> HandshakeError {
    let peer = side.peer();
    let new = |message: String, help: &str| {
        HandshakeError::new(Reason::CertificateWrongUsage, message, help)
    };
    let [encrypt, sign] = leaves else {
        let message = format!("a certificate of the {peer} is not for this use");
        return new(message, "have it issued with the right key usage");
    };
    let (first, second) = (usages(sign), usages(encrypt));
    let fit = sign.may_sign() && encrypt.may_encrypt();
    if !fit && sign.may_encrypt() && encrypt.may_sign() {
        let message = format!(
            "the {peer} sent its signing and encryption certificates exchanged: \
             the first is for {first}, the second for {second}"
        );
        let help = format!("exchange the two in the {peer}'s configuration, with their keys");
        return new(message, &help);
    }
    let message = format!(
        "the {peer}'s signing certificate is for {first}, its encryption certificate for {second}"
    );
    new(
        message,
        "they need digitalSignature, and keyEncipherment, dataEncipherment or keyAgreement",
    )
}

/// A certificate that did not pass verification.
pub(in crate::tls) fn refused(failure: &Failure, side: Side) -> HandshakeError {
    let reason = classify(failure.result.as_raw());
    HandshakeError::new(
        reason,
        sentence(reason, failure, side),
        remedy(reason, side),
    )
}

fn classify(code: i32) -> Reason {
    match code {
        sys::X509_V_ERR_CERT_HAS_EXPIRED => Reason::CertificateExpired,
        sys::X509_V_ERR_CERT_NOT_YET_VALID => Reason::CertificateNotYetValid,
        sys::X509_V_ERR_CERT_REVOKED => Reason::CertificateRevoked,
        sys::X509_V_ERR_INVALID_PURPOSE
        | sys::X509_V_ERR_KEYUSAGE_NO_CERTSIGN
        | sys::X509_V_ERR_INVALID_CA => Reason::CertificateWrongUsage,
        sys::X509_V_ERR_HOSTNAME_MISMATCH | sys::X509_V_ERR_IP_ADDRESS_MISMATCH => {
            Reason::CertificateWrongName
        }
        sys::X509_V_ERR_CERT_CHAIN_TOO_LONG => Reason::CertificateChainTooLong,
        sys::X509_V_ERR_UNABLE_TO_GET_CRL
        | sys::X509_V_ERR_CRL_HAS_EXPIRED
        | sys::X509_V_ERR_CRL_NOT_YET_VALID => Reason::RevocationUnknown,
        sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | sys::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | sys::X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | sys::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        | sys::X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN => Reason::CertificateUnknownIssuer,
        _ => Reason::CertificateInvalid,
    }
}

fn sentence(reason: Reason, failure: &Failure, side: Side) -> String {
    let (peer, result) = (side.peer(), failure.result);
    let Some(certificate) = &failure.certificate else {
        return format!("a certificate of the {peer} is refused: {result}");
    };
    let (subject, issuer) = (certificate.subject(), certificate.issuer());
    let whose = match failure.depth {
        0 => format!("the {peer}'s certificate `{subject}`"),
        _ => format!("`{subject}` in the chain of the {peer}'s certificate"),
    };
    match reason {
        Reason::CertificateExpired => {
            format!("{whose} expired at {}", rfc3339(certificate.not_after()))
        }
        Reason::CertificateNotYetValid => {
            format!(
                "{whose} is not valid before {}",
                rfc3339(certificate.not_before())
            )
        }
        Reason::CertificateRevoked => {
            let serial = certificate.serial();
            format!("{whose} (serial {serial}) has been revoked by `{issuer}`")
        }
        Reason::CertificateWrongUsage => format!("{whose} is not for this use ({result})"),
        Reason::CertificateWrongName => format!("{whose} is for {}", names(certificate)),
        Reason::CertificateChainTooLong => {
            format!("the chain of the {peer}'s certificate is too long at `{subject}` ({result})")
        }
        Reason::RevocationUnknown => {
            format!("there is no current revocation list for {whose} ({result})")
        }
        Reason::CertificateUnknownIssuer => {
            format!("{whose} was issued by `{issuer}`, which no authority in `ca` vouches for")
        }
        _ => format!("{whose} is refused: {result}"),
    }
}

fn remedy(reason: Reason, side: Side) -> &'static str {
    match reason {
        Reason::CertificateExpired => "have it renewed",
        Reason::CertificateNotYetValid => "check the clocks on both sides",
        Reason::CertificateRevoked => "it must not be used any more; have a new one issued",
        Reason::CertificateWrongUsage => side.usage_help(),
        Reason::CertificateWrongName => {
            "set `server_name` to a name the certificate has, or have it issued for the name used"
        }
        Reason::CertificateChainTooLong => {
            "raise `depth` if so many authorities in between are meant"
        }
        Reason::RevocationUnknown => "fetch the newest list of the issuer and name it in `crl`",
        Reason::CertificateUnknownIssuer => {
            "if that issuer is to be believed, add its certificate to `ca`"
        }
        _ => "",
    }
}

fn usages(certificate: &Certificate) -> String {
    let usages = certificate.usages();
    usages.map_or_else(|| "nothing (no KeyUsage)".into(), |u| u.join(", "))
}

fn names(certificate: &Certificate) -> String {
    let names = certificate.names();
    if names.is_empty() {
        "no name at all".into()
    } else {
        format!("`{}`", names.join("`, `"))
    }
}
