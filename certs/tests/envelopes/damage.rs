//! Truncated, bit-flipped, extended and random envelopes: an error, never a panic, never another key.

use alb_certs::envelope::{Opener, open};
use alb_certs::{Algorithm, Key};
use proptest::prelude::*;

use super::build::{self, Recipient};

/// Opens with whatever belongs to the sample; the key, if any, must be the wrapped one.
fn open_damaged(
    bytes: &[u8],
    recipient: Recipient,
    pair: &alb_certs::issue::Pair,
    temporary: &Key,
) {
    let opener = match recipient {
        Recipient::Signing => Opener::Key(&pair.sign.key),
        Recipient::Temporary => Opener::Key(temporary),
        Recipient::Password => Opener::Password(build::PASSWORD),
    };
    if let Ok(opened) = open(bytes, &opener) {
        assert!(opened.check_certificate(&pair.encrypt.certificate).is_ok());
    }
}

#[test]
fn cut_and_extended_envelopes_never_give_another_key() {
    let (pair, temporary) = (super::pair(), Key::generate(Algorithm::Sm2).unwrap());
    for sample in build::samples(&pair, &temporary) {
        for length in (0..sample.bytes.len()).step_by(7) {
            open_damaged(&sample.bytes[..length], sample.recipient, &pair, &temporary);
        }
        for extra in [1, 1000] {
            let extended = [&sample.bytes[..], &vec![0; extra]].concat();
            open_damaged(&extended, sample.recipient, &pair, &temporary);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn flipped_bits_never_give_another_key(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (pair, temporary) = (super::pair(), Key::generate(Algorithm::Sm2).unwrap());
        for sample in build::samples(&pair, &temporary) {
            let mut bytes = sample.bytes.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            open_damaged(&bytes, sample.recipient, &pair, &temporary);
        }
    }

    #[test]
    fn random_bytes_open_to_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let key = Key::from_sm2_secret(&[5; 32]).unwrap();
        prop_assert!(open(&bytes, &Opener::Key(&key)).is_err());
        prop_assert!(open(&bytes, &Opener::Password(b"x")).is_err());
    }
}
