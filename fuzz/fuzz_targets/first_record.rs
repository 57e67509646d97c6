//! Any bytes as the first record of a connection: TLS, TLCP, not yet enough, or refused.
#![no_main]

use alb_gm::tls::ClientHello;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = ClientHello::parse(bytes);
    // What a prefix says stands: more bytes never turn a refusal or a hello into something else.
    for end in 0..bytes.len().min(512) {
        match ClientHello::parse(&bytes[..end]) {
            Ok(None) => {}
            settled => assert_eq!(format!("{settled:?}"), format!("{whole:?}"), "after {end} bytes"),
        }
    }
});
