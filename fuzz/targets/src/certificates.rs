//! Any bytes as what certificate authorities and their customers exchange.

use std::sync::LazyLock;

use alb_certs::envelope::{Opener, open};
use alb_certs::time::Time;
use alb_certs::{Certificate, Key, inspect, lint, ocsp};

static KEY: LazyLock<Key> = LazyLock::new(|| Key::from_sm2_secret(&[7; 32]).expect("a key"));

/// As a file of certificates, requests, lists, keys or messages: described or refused.
pub fn certificate_file(bytes: &[u8]) {
    for item in inspect::inspect(bytes).unwrap_or_default() {
        assert!(!item.to_string().is_empty());
    }
    if let Ok(chain) = Certificate::from_pem_or_der(bytes) {
        let _ = lint::lint_chain(&chain, Time::now());
    }
    let _ = ocsp::Request::parse(bytes);
    let _ = ocsp::Response::parse(bytes);
}

/// As a wrapped key: refused, or opened to the key of the envelope.
pub fn envelope(bytes: &[u8]) {
    let _ = open(bytes, &Opener::Key(&KEY));
    let _ = open(bytes, &Opener::Password(b"secret"));
}
