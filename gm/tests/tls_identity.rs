//! Identities from files: what is refused, and whether the message helps.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use alb_certs::Algorithm;
use alb_certs::issue::{Issued, Leaf, Validity};
use alb_gm::tls::*;
use common::*;
use zeroize::Zeroizing;

/// A directory with files of certificates and keys.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn put(&self, name: &str, issued: &Issued) -> (PathBuf, PathBuf) {
        let certificate = self.write(&format!("{name}.pem"), issued.chain_pem());
        (
            certificate,
            self.write(
                &format!("{name}.key"),
                issued.key.to_pem().unwrap().as_bytes(),
            ),
        )
    }
}

/// The error of loading two files; it has to name the file and to help.
fn error(certificate: &Path, key: &Path) -> IdentityError {
    let error = Certified::load(certificate, key, None)
        .err()
        .expect("it should be refused");
    let file = error.path.file_name().unwrap().to_str().unwrap();
    assert!(error.message.contains(file), "{error}");
    assert!(!error.help.is_empty(), "{error}");
    error
}

#[test]
fn a_pair_is_loaded_with_its_names_and_without_a_warning() {
    let (files, ca) = (Files::new(), authority());
    let pair = ca
        .issue_pair(&Leaf::server("a.test").dns("*.b.test"))
        .unwrap();
    let load = |name, issued| {
        let (certificate, key) = files.put(name, issued);
        Certified::load(&certificate, &key, None).unwrap()
    };
    let identity =
        Identity::pair(load("sign", &pair.sign), load("encrypt", &pair.encrypt)).unwrap();
    assert_eq!(identity.names(), ["a.test", "*.b.test"]);
    assert_eq!(identity.warnings(), []);
    assert!(identity.is_pair());
}

#[test]
fn a_key_of_another_certificate_is_told_with_both_files() {
    let (files, ca) = (Files::new(), authority());
    let (certificate, _) = files.put(
        "one",
        &ca.issue(Algorithm::P256, &Leaf::server("one.test"))
            .unwrap(),
    );
    let (_, key) = files.put(
        "two",
        &ca.issue(Algorithm::Rsa2048, &Leaf::server("two.test"))
            .unwrap(),
    );
    let error = error(&certificate, &key);
    assert!(
        error
            .message
            .contains("two.key` (RSA 2048 bits) does not belong to the certificate"),
        "{error}"
    );
    assert!(
        error.message.contains("one.pem` (ECDSA P-256, CN=one.test"),
        "{error}"
    );
}

#[test]
fn an_exchanged_pair_is_recognised() {
    let ca = authority();
    let pair = ca.issue_pair(&Leaf::server("a.test")).unwrap().swapped();
    let error = Identity::pair(certified(&pair.sign), certified(&pair.encrypt))
        .err()
        .unwrap();
    assert!(error.message.contains("are exchanged"), "{error}");
    assert!(
        error.message.contains("keyEncipherment") && error.message.contains("digitalSignature"),
        "{error}"
    );
}

#[test]
fn two_signing_certificates_are_no_pair() {
    let ca = authority();
    let pair = ca.issue_pair(&Leaf::server("a.test")).unwrap();
    let error = Identity::pair(certified(&pair.sign), certified(&pair.sign))
        .err()
        .unwrap();
    assert!(
        error.message.contains("the encryption certificate")
            && error.help.contains("keyEncipherment"),
        "{error}"
    );
}

#[test]
fn the_halves_of_a_pair_belong_to_one_subject() {
    let ca = authority();
    let (a, b) = (
        ca.issue_pair(&Leaf::server("a.test")).unwrap(),
        ca.issue_pair(&Leaf::server("b.test")).unwrap(),
    );
    let error = Identity::pair(certified(&a.sign), certified(&b.encrypt))
        .err()
        .unwrap();
    assert!(
        error.message.contains("CN=a.test") && error.message.contains("CN=b.test"),
        "{error}"
    );
}

#[test]
fn an_rsa_certificate_is_no_half_of_a_pair() {
    let ca = authority();
    let rsa = certified(
        &ca.issue(Algorithm::Rsa2048, &Leaf::server("a.test"))
            .unwrap(),
    );
    let error = Identity::pair(rsa.clone(), rsa).err().unwrap();
    assert!(
        error.message.contains("RSA 2048 bits") && error.message.contains("TLCP needs SM2"),
        "{error}"
    );
}

#[test]
fn expired_and_premature_certificates_are_warned_about() {
    let ca = authority();
    let of = |validity| {
        let issued = ca
            .issue(Algorithm::P256, &Leaf::server("a.test").valid(validity))
            .unwrap();
        certified(&issued).warnings().to_vec()
    };
    assert!(
        matches!(of(Validity::expired()).as_slice(), [Warning::Expired { message }] if message.contains("expired at 20"))
    );
    assert!(matches!(
        of(Validity::not_yet()).as_slice(),
        [Warning::NotYetValid { .. }]
    ));
    assert_eq!(of(Validity::days(1)), []);
}

#[test]
fn a_key_anyone_can_read_is_warned_about() {
    let (files, ca) = (Files::new(), authority());
    let (certificate, key) = files.put(
        "a",
        &ca.issue(Algorithm::P256, &Leaf::server("a.test")).unwrap(),
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let certified = Certified::load(&certificate, &key, None).unwrap();
    assert!(
        matches!(certified.warnings(), [Warning::WorldReadable { message }] if message.contains("mode 644"))
    );
}

#[test]
fn an_encrypted_key_needs_its_password() {
    let (files, ca) = (Files::new(), authority());
    let issued = ca.issue(Algorithm::Sm2, &Leaf::server("a.test")).unwrap();
    let (certificate, _) = files.put("a", &issued);
    let key = files.write(
        "locked.key",
        issued
            .key
            .to_encrypted_pem(b"open sesame", Default::default())
            .unwrap(),
    );
    assert!(error(&certificate, &key).help.contains("password_file"));
    let with = |password: &[u8]| {
        Certified::load(&certificate, &key, Some(&Zeroizing::new(password.to_vec())))
    };
    assert!(
        with(b"wrong")
            .err()
            .unwrap()
            .message
            .contains("the password does not open")
    );
    with(b"open sesame").unwrap();
}

#[test]
fn a_file_that_is_something_else_is_named_for_what_it_is() {
    let (files, ca) = (Files::new(), authority());
    let issued = ca.issue(Algorithm::P256, &Leaf::server("a.test")).unwrap();
    let (certificate, key) = files.put("a", &issued);
    let exchanged = error(&key, &certificate);
    assert!(
        exchanged
            .message
            .contains("a.key` is a private key, not a certificate"),
        "{exchanged}"
    );
    assert!(exchanged.help.contains("exchanged"));
    let der = files.write("a.der", certified(&issued).facts().to_der());
    assert!(error(&der, &key).message.contains("binary DER"));
    let text = files.write("notes.txt", "hello");
    assert!(error(&text, &key).message.contains("no `-----BEGIN"));
    assert!(
        error(&files.write("empty.pem", ""), &key)
            .message
            .contains("an empty file")
    );
    let request = files.write(
        "a.csr",
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n",
    );
    assert!(
        error(&request, &key)
            .message
            .contains("the CA has yet to sign it")
    );
    let pem = fs::read_to_string(&certificate).unwrap();
    let cut = files.write("cut.pem", &pem[..pem.len() / 2]);
    assert!(error(&cut, &key).message.contains("damaged"));
    assert!(
        error(&files.path("missing.pem"), &key)
            .help
            .contains("check the path")
    );
    assert!(
        error(&certificate, files.0.path())
            .message
            .contains("directory")
    );
}

#[test]
fn a_directory_or_a_key_is_no_authority() {
    let (files, ca) = (Files::new(), authority());
    let (_, key) = files.put(
        "a",
        &ca.issue(Algorithm::P256, &Leaf::server("a.test")).unwrap(),
    );
    let error = Trust::load(&[key], &[]).err().unwrap();
    assert!(
        error
            .message
            .contains("should hold a CA certificate; it is a private key"),
        "{error}"
    );
    let error = Trust::load(&[], &[files.path("missing.crl")])
        .err()
        .unwrap();
    assert!(error.message.contains("missing.crl"), "{error}");
}
