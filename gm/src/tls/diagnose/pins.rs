//! What is wrong with a server's key, and what to do about it.

use crate::tls::certificate::Certificate;
use crate::tls::error::{HandshakeError, Reason};
use crate::tls::pin::Pin;

/// The server's key is none of `pins`. `seen`: what it is, by their digests.
pub(in crate::tls) fn not_pinned(
    certificate: &Certificate,
    seen: &[Pin],
    pins: &[Pin],
) -> HandshakeError {
    let message = format!(
        "the key of the server's certificate `{}` (serial {}) is {}; expected {}",
        certificate.subject(),
        certificate.serial(),
        listed(seen, " and "),
        listed(pins, " or ")
    );
    let help = "if its operator has changed the key, add the new one to `pins`; \
                if nobody has, somebody else answers in its place";
    HandshakeError::new(Reason::CertificateNotPinned, message, help)
}

/// The server has shown no certificate, and so no key.
pub(in crate::tls) fn keyless(pins: &[Pin]) -> HandshakeError {
    let message = format!(
        "the server did not show a certificate; expected one with the key {}",
        listed(pins, " or ")
    );
    HandshakeError::new(
        Reason::CertificateMissing,
        message,
        "give the server a certificate, or leave out `pins`",
    )
}

fn listed(pins: &[Pin], between: &str) -> String {
    let words: Vec<_> = pins.iter().map(|pin| format!("`{pin}`")).collect();
    words.join(between)
}
