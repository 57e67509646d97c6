//! HTTP/1 messages: heads, bodies and what follows them, from a client or a peer that means harm.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| alb_http::h1::read_hostile(bytes));
