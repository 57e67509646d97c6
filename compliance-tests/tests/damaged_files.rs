//! `alb cert` and files that are cut short, changed or far too long: a sentence that names the file, and nothing written.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use alb_compliance_tests::alb::run;

/// The golden files of `alb_certs`, with what reads each.
const CONVERTED: [&str; 4] = [
    "converted.p12",
    "converted.sm2",
    "converted-tongsuo.key",
    "converted-gmssl.key",
];
const WRAPPED: [&str; 6] = [
    "enveloped-key.der",
    "csr-response.der",
    "cms-signed.der",
    "cms-enveloped.der",
    "skf.bin",
    "sdf.bin",
];

fn golden(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../certs/tests/golden");
    fs::read(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file as it is, and what may have become of it.
fn damaged(name: &str) -> [Vec<u8>; 4] {
    let whole = golden(name);
    // Somewhere that matters in each: the blobs of cards have filling, which may be anything.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2 + 50] ^= 0x10;
    // Above the 16 MiB that are read.
    let oversized = [&whole[..], &vec![0; 17 << 20]].concat();
    [
        whole[..whole.len() / 2].to_vec(),
        flipped,
        oversized,
        Vec::new(),
    ]
}

fn listing(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory of ours");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(|entry| name(entry).to_string_lossy().into_owned())
        .collect()
}

/// Runs a command whose `$` stands for the directory.
fn alb(directory: &Path, command: &str) -> (Option<i32>, String) {
    let directory = directory.display().to_string();
    let arguments: Vec<String> = command
        .split(' ')
        .map(|argument| argument.replace('$', &directory))
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

/// The command succeeds with the whole file, and with every damaged one fails in words and writes nothing.
fn refuses(names: &[&str], command: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    for name in ["sign.key", "enc.pem"] {
        fs::write(directory.join(name), golden(name)).expect("a file of ours");
    }
    fs::write(directory.join("pw"), "golden\n").expect("a file of ours");
    for name in names {
        let path = directory.join(name);
        let command = command.replace("FILE", &format!("$/{name}"));
        for bytes in damaged(name) {
            fs::write(&path, bytes).expect("a file of ours");
            let before = listing(directory);
            let (code, said) = alb(directory, &command);
            assert_eq!(code, Some(1), "{name}: {said}");
            assert!(said.starts_with("error: "), "{name}: {said}");
            assert!(said.contains(name), "the file is not named: {said}");
            assert_eq!(listing(directory), before, "{name}: {said}");
        }
        fs::write(&path, golden(name)).expect("a file of ours");
        let out = command.replace("never", name);
        let (code, said) = alb(directory, &out);
        assert_eq!(code, Some(0), "{name}: {said}");
    }
}

#[test]
fn convert_writes_nothing_from_damaged_files() {
    refuses(
        &CONVERTED,
        "cert convert FILE --open-password-file $/pw --to pkcs8 --plain --out $/never.out",
    );
}

#[test]
fn import_enc_writes_nothing_from_damaged_files() {
    refuses(
        &WRAPPED,
        "cert import-enc FILE --key $/sign.key --certificate $/enc.pem --plain --out $/never.out",
    );
}
