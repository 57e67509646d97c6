//! Any bytes as a file of certificates, requests, lists, keys or messages: described or refused, never a panic.
#![no_main]

use alb_certs::ocsp;
use alb_certs::time::Time;
use alb_certs::{Certificate, inspect, lint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for item in inspect::inspect(bytes).unwrap_or_default() {
        assert!(!item.to_string().is_empty());
    }
    if let Ok(chain) = Certificate::from_pem_or_der(bytes) {
        let _ = lint::lint_chain(&chain, Time::now());
    }
    let _ = ocsp::Request::parse(bytes);
    let _ = ocsp::Response::parse(bytes);
});
