//! Envelopes of every form: made from the layouts of the standards, opened, and damaged.

mod build;
mod damage;
mod golden;

use alb_certs::envelope::{Form, Opener, open};
use alb_certs::issue::{Ca, Leaf, Pair};
use alb_certs::{Algorithm, Key};
use build::Recipient;

fn pair() -> Pair {
    Ca::root(Algorithm::Sm2, "Golden CA")
        .unwrap()
        .issue_pair(&Leaf::server("golden.test"))
        .unwrap()
}

#[test]
fn every_form_opens_to_the_key_that_was_wrapped() {
    let pair = pair();
    let temporary = Key::generate(Algorithm::Sm2).unwrap();
    for sample in build::samples(&pair, &temporary) {
        let opener = match sample.recipient {
            Recipient::Signing => Opener::Key(&pair.sign.key),
            Recipient::Temporary => Opener::Key(&temporary),
            Recipient::Password => Opener::Password(build::PASSWORD),
        };
        let opened =
            open(&sample.bytes, &opener).unwrap_or_else(|error| panic!("{}: {error}", sample.name));
        assert_eq!(opened.form, sample.form, "{}", sample.name);
        assert!(
            opened.key.pkey().public_eq(pair.encrypt.key.pkey()),
            "{}",
            sample.name
        );
        opened.check_certificate(&pair.encrypt.certificate).unwrap();
        assert!(opened.check_certificate(&pair.sign.certificate).is_err());
    }
}

#[test]
fn certificates_and_signers_in_the_envelope_are_found() {
    let pair = pair();
    let temporary = Key::generate(Algorithm::Sm2).unwrap();
    for sample in build::samples(&pair, &temporary) {
        if sample.form != Form::CsrResponse && sample.name != "cms-signed.der" {
            continue;
        }
        let opened = open(&sample.bytes, &Opener::Key(&pair.sign.key)).unwrap();
        assert_eq!(
            opened.encrypt_certificates,
            std::slice::from_ref(&pair.encrypt.certificate),
            "{}",
            sample.name
        );
        let signed = opened.signed_by.is_some();
        assert_eq!(signed, sample.form == Form::Cms, "{}", sample.name);
    }
}

#[test]
fn signed_data_with_a_wrong_signature_is_refused_in_words() {
    let pair = pair();
    let secret = pair.encrypt.key.sm2_secret().unwrap();
    let forged = build::cms(&pair, Some(&pair.sign.key), &secret[..]);
    let error = open(&forged, &Opener::Key(&pair.sign.key)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("over the enveloped key is wrong"),
        "{error}"
    );
}

#[test]
fn another_key_opens_nothing_and_is_told_so() {
    let (pair, other) = (pair(), Key::generate(Algorithm::Sm2).unwrap());
    for sample in build::samples(&pair, &Key::generate(Algorithm::Sm2).unwrap()) {
        let opener = match sample.recipient {
            Recipient::Password => Opener::Password(b"wrong"),
            _ => Opener::Key(&other),
        };
        let error = open(&sample.bytes, &opener).unwrap_err().to_string();
        let says_why = error.contains("does not open the envelope") || error.contains("password");
        assert!(says_why, "{}: {error}", sample.name);
    }
}
