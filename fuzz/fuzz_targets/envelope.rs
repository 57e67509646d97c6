//! Any bytes as a wrapped key: refused, or opened to the key of the envelope, never a panic.
#![no_main]

use std::sync::LazyLock;

use alb_certs::Key;
use alb_certs::envelope::{Opener, open};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<Key> = LazyLock::new(|| Key::from_sm2_secret(&[7; 32]).expect("a key"));

fuzz_target!(|bytes: &[u8]| {
    let _ = open(bytes, &Opener::Key(&KEY));
    let _ = open(bytes, &Opener::Password(b"secret"));
});
