//! The examples of `conf/examples/` with real certificates, through the whole check of the built `alb`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, CrlPlan, Leaf, write_private, write_public};
use alb_certs::pkcs8::Dialect;
use tempfile::TempDir;

/// Files that examples name beside certificates and keys.
const LISTS: [(&str, &str); 5] = [
    ("lists/blocked.txt", "10.9.9.9\n"),
    ("lists/mail-users", "zhang@example.cn dovecot\n"),
    ("lists/mail-passwords", "zhang@example.cn {PLAIN}secret\n"),
    ("tls/link.secret", "0123456789abcdef0123456789abcdef\n"),
    ("tls/sticky.key", "0123456789abcdef0123456789abcdef\n"),
];

#[test]
fn every_example_passes_the_check() {
    for file in examples() {
        let (_directory, copy) = installed(&fs::read_to_string(&file).unwrap());
        let checked = check(&copy);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}:\n{said}", file.display());
    }
}

#[test]
fn one_run_tells_of_the_text_and_of_the_certificates() {
    let portal = examples()
        .into_iter()
        .find(|file| file.ends_with("government-portal.toml"));
    let text = fs::read_to_string(portal.unwrap()).unwrap();
    let swapped = text
        .replace("portal-sign", "portal-x")
        .replace("portal-enc", "portal-sign")
        .replace("portal-x", "portal-enc");
    let suites = "suites = [\"ECC_SM4_GCM_SM4\"]\ngroups = [\"X25520\"]\nprotocols =";
    let wrong = format!("{}\n[upstrem.b]\n", swapped.replace("protocols =", suites));
    let (_directory, copy) = installed(&wrong);
    let checked = check(&copy);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert_eq!(checked.status.code(), Some(78), "{said}");
    assert!(said.contains("unknown section `upstrem`"), "{said}");
    assert!(
        said.contains("help: did you mean `ECC_SM4_GCM_SM3`?"),
        "{said}"
    );
    assert!(said.contains("help: did you mean `X25519`?"), "{said}");
    assert!(said.contains("4 errors"), "{said}");
}

fn examples() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf/examples");
    let files = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|file| {
            file.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 10);
    files
}

fn check(file: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_alb"))
        .args(["--check-config", "-c"])
        .arg(file)
        .output()
        .unwrap()
}

/// A copy of an example in a new directory, with all that it names: under `tls/` a name ending in `-ca` is an
/// authority, `-sign` and `-enc` are the halves of a pair, and `NAME.pw` is the password of `NAME.key`.
fn installed(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for name in ["tls", "log", "www", "lists"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    for (name, content) in LISTS {
        write_private(&directory.path().join(name), content.as_bytes()).unwrap();
    }
    let tls = directory.path().join("tls");
    let (gm, other) = (
        Ca::root(Algorithm::Sm2, "SM2").unwrap(),
        Ca::root(Algorithm::P256, "P-256").unwrap(),
    );
    for file in named(text) {
        let (name, extension) = file.rsplit_once('.').unwrap();
        if extension == "crl" {
            let list = gm.crl(&CrlPlan::weekly(1), &[]).unwrap();
            write_public(&tls.join(&file), list.to_pem().as_bytes()).unwrap();
        } else if name.ends_with("-ca") {
            write_public(&tls.join(&file), gm.certificate().to_pem().as_bytes()).unwrap();
        } else if let (Some(pair), "pem") = (name.strip_suffix("-sign"), extension) {
            gm.issue_pair(&Leaf::server("portal.example.cn"))
                .unwrap()
                .write(&tls, pair)
                .unwrap();
        } else if extension == "pem" && !name.ends_with("-enc") {
            other
                .issue(Algorithm::P256, &Leaf::server("www.example.cn"))
                .unwrap()
                .write(&tls, name)
                .unwrap();
        }
    }
    named(text)
        .iter()
        .filter_map(|file| file.strip_suffix(".pw"))
        .for_each(|name| protect(&tls, name));
    let file = directory.path().join("alb.toml");
    fs::write(&file, text.replace("\"alb\" ", "\"root\" ")).unwrap();
    (directory, file)
}

/// Writes a password; a key of the same name is encrypted with it.
fn protect(tls: &Path, name: &str) {
    write_private(&tls.join(format!("{name}.pw")), b"secret\n").unwrap();
    let file = tls.join(format!("{name}.key"));
    if !file.exists() {
        return;
    }
    let key = alb_certs::key_file::read(&fs::read(&file).unwrap(), || {
        unreachable!("it is not protected yet")
    })
    .unwrap();
    let protected = key.to_encrypted_pem(b"secret", Dialect::Tongsuo).unwrap();
    write_private(&file, protected.as_bytes()).unwrap();
}

/// The files under `tls/` that a text names, each once.
fn named(text: &str) -> BTreeSet<String> {
    text.split('"')
        .filter_map(|quoted| quoted.strip_prefix("tls/"))
        .map(str::to_owned)
        .collect()
}
