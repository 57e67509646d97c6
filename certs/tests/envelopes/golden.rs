//! Golden files: made once by [`write_golden_files`], opened ever since.

use std::fs;
use std::path::PathBuf;

use alb_certs::envelope::{Opener, open};
use alb_certs::issue::Pair;
use alb_certs::{Algorithm, Certificate, Key, key_file};

use super::build::{self, Recipient};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn key(name: &str) -> Key {
    key_file::read(&fs::read(path(name)).unwrap(), || {
        panic!("golden keys have no password")
    })
    .unwrap()
}

#[test]
fn golden_files_of_every_form_open() {
    let (sign, temporary) = (key("sign.key"), key("temporary.key"));
    let certificate = Certificate::from_pem_or_der(&fs::read(path("enc.pem")).unwrap())
        .unwrap()
        .remove(0);
    let pair: Pair = super::pair();
    for sample in build::samples(&pair, &temporary) {
        let opener = match sample.recipient {
            Recipient::Signing => Opener::Key(&sign),
            Recipient::Temporary => Opener::Key(&temporary),
            Recipient::Password => Opener::Password(build::PASSWORD),
        };
        let opened = open(&fs::read(path(sample.name)).unwrap(), &opener).unwrap();
        assert_eq!(opened.form, sample.form, "{}", sample.name);
        opened.check_certificate(&certificate).unwrap();
    }
}

/// Run once: `cargo test -p alb-certs --test envelopes write_golden_files -- --ignored`.
#[test]
#[ignore = "replaces the golden files"]
fn write_golden_files() {
    let (pair, temporary) = (super::pair(), Key::generate(Algorithm::Sm2).unwrap());
    for (name, key) in [("sign.key", &pair.sign.key), ("temporary.key", &temporary)] {
        fs::write(path(name), key.to_pem().unwrap().as_bytes()).unwrap();
    }
    fs::write(path("enc.pem"), pair.encrypt.certificate.to_pem()).unwrap();
    for sample in build::samples(&pair, &temporary) {
        fs::write(path(sample.name), sample.bytes).unwrap();
    }
}
