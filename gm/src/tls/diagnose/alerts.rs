//! Alerts of the peer, and what they usually mean.

use openssl::ssl::SslAlert;
use openssl_sys as sys;

use crate::tls::error::{HandshakeError, Reason};
use crate::tls::handshake::Side;

/// The peer refused us.
pub(super) fn received(alert: &SslAlert, side: Side) -> HandshakeError {
    let peer = side.peer();
    let number = alert.reason_code() - sys::SSL_AD_REASON_OFFSET;
    let message = format!("the {peer} refused with alert {number} ({alert})");
    HandshakeError::new(Reason::PeerAlert, message, help(number, side))
}

/// What the alerts usually mean, in RFC 8446 §6.2 and GB/T 38636 §6.4.2.
fn help(number: i32, side: Side) -> &'static str {
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
