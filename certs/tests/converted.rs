//! The forms `alb cert convert` writes, as golden files: made once by [`write_golden_files`], read ever since, whole
//! and damaged.

use std::fs;
use std::path::PathBuf;

use alb_certs::envelope::{self, Opener};
use alb_certs::issue::{Ca, Leaf};
use alb_certs::pkcs8::Dialect;
use alb_certs::pkcs12::{self, Content, Protection};
use alb_certs::{Algorithm, Key, Result, key_file, pem};
use zeroize::Zeroizing;

const PASSWORD: &[u8] = b"golden";

/// How a form is read.
type Open = fn(&[u8]) -> Result<Key>;

const FORMS: [(&str, Open); 4] = [
    ("converted.p12", open_pkcs12),
    ("converted.sm2", open_sm2),
    ("converted-tongsuo.key", open_pkcs8),
    ("converted-gmssl.key", open_pkcs8),
];

fn open_pkcs12(bytes: &[u8]) -> Result<Key> {
    Ok(pkcs12::open(bytes, PASSWORD)?.key)
}

fn open_sm2(bytes: &[u8]) -> Result<Key> {
    Ok(envelope::open(bytes, &Opener::Password(PASSWORD))?.key)
}

fn open_pkcs8(bytes: &[u8]) -> Result<Key> {
    key_file::read(bytes, || Ok(Zeroizing::new(PASSWORD.to_vec())))
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn golden(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

fn plain() -> Key {
    key_file::read(&golden("converted.key"), || panic!("it has no password")).unwrap()
}

#[test]
fn golden_files_of_every_form_open_to_the_same_key() {
    let plain = plain();
    for (name, open) in FORMS {
        let key = open(&golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(key.pkey().public_eq(plain.pkey()), "{name}");
    }
}

#[test]
fn the_pkcs12_file_is_of_sm4_and_sm3_and_holds_the_chain() {
    let bytes = golden("converted.p12");
    // 1.2.156.10197.1.104.2 and 1.2.156.10197.1.401.
    for identifier in [
        &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x68, 2][..],
        &[0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x11],
    ] {
        assert!(bytes.windows(identifier.len()).any(|at| at == identifier));
    }
    let content = pkcs12::open(&bytes, PASSWORD).unwrap();
    assert_eq!(
        content.certificate.subject.common_name(),
        Some("golden.test")
    );
    assert_eq!(content.chain.len(), 1);
}

/// Cut short, with a flipped bit, and with much behind it: the same key or none, and no panic.
#[test]
fn damaged_files_never_give_another_key() {
    let plain = plain();
    for (name, open) in FORMS {
        let whole = golden(name);
        let check = |bytes: &[u8]| {
            let key = open(bytes).ok();
            assert!(
                key.is_none_or(|key| key.pkey().public_eq(plain.pkey())),
                "{name}"
            );
        };
        for length in (0..whole.len()).step_by(whole.len() / 40) {
            check(&whole[..length]);
        }
        for at in (0..whole.len()).step_by(whole.len() / 40) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 3);
            check(&flipped);
        }
        check(&[&whole[..], &vec![0; 1 << 20]].concat());
        assert!(open(&vec![0x30; 1 << 20]).is_err(), "{name}");
    }
}

/// Run once: `cargo test -p alb-certs --test converted write_golden_files -- --ignored`.
#[test]
#[ignore = "replaces the golden files"]
fn write_golden_files() {
    let ca = Ca::root(Algorithm::Sm2, "Golden CA").unwrap();
    let ca = ca.intermediate("Golden Issuing CA").unwrap();
    let issued = ca
        .issue(Algorithm::Sm2, &Leaf::server("golden.test"))
        .unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(path(name), bytes).unwrap();
    let key = &issued.key;
    write("converted.key", key.to_pem().unwrap().as_bytes());
    for (name, dialect) in [
        ("converted-tongsuo.key", Dialect::Tongsuo),
        ("converted-gmssl.key", Dialect::GmSsl),
    ] {
        let text = key.to_encrypted_pem(PASSWORD, dialect).unwrap();
        write(name, text.as_bytes());
    }
    let file = envelope::seal_cfca_file(key, &issued.certificate, PASSWORD).unwrap();
    write("converted.sm2", pem::encode("CFCA KEY", &file).as_bytes());
    let content = Content {
        key: issued.key,
        certificate: issued.certificate,
        chain: issued.chain,
    };
    let file = pkcs12::seal(&content, "golden.test", PASSWORD, Protection::Gm).unwrap();
    write("converted.p12", &file);
}
