//! The commands that need no daemon, and the exit codes that scripts rely on.

use std::process::Output;

use alb_compliance_tests::{Alb, alb};

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn version_says_what_it_was_built_with() {
    assert!(printed(&alb::run(&["--version"])).starts_with("alb "));
    let verbose = printed(&alb::run(&["--version", "--verbose", "--json"]));
    let facts: serde_json::Value = serde_json::from_str(&verbose).expect("JSON");
    assert_eq!(facts["protocols"], "TLCPv1.1 TLSv1.2 TLSv1.3");
}

#[test]
fn schema_completions_and_pages_are_printed() {
    let schema = printed(&alb::run(&["schema"]));
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
    assert!(schema["properties"]["upstream"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        assert!(printed(&alb::run(&["completions", shell])).contains("reload"));
    }
    assert!(printed(&alb::run(&["man"])).contains(".TH alb 1"));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().display().to_string();
    printed(&alb::run(&["man", "--directory", &path]));
    assert!(directory.path().join("alb-reload.1").exists());
}

#[test]
fn a_good_configuration_is_printed_with_its_defaults() {
    let site = "[[site]]\nroute = [{ path = \"/\", return = 404 }]";
    let output = Alb::new().check(&format!("[[http]]\nlisten = [\"$web\"]\n{site}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn exit_codes_tell_a_wrong_command_line_from_a_wrong_configuration() {
    assert_eq!(alb::run(&["--no-such-option"]).status.code(), Some(2));
    let wrong = Alb::new().check("[[http]]\nlisten = [\"nowhere\"]\nlissten = []\n[upstream.x]\n");
    assert_eq!(wrong.status.code(), Some(78));
    let missing = alb::run(&["--check-config", "--json", "-c", "/no/such/file"]);
    assert_eq!(missing.status.code(), Some(78));
    let findings: serde_json::Value = serde_json::from_slice(&missing.stdout).expect("JSON");
    assert_eq!(findings["good"], false);
}

#[test]
fn every_problem_of_a_file_comes_in_one_run() {
    let output = Alb::new().check(
        r#"
        [daemon]
        user = "nobody-of-that-name"
        [identity.gm]
        certificate = "missing.pem"
        key = "missing.key"
        [[http]]
        listen = ["$web"]
        tls = { identities = ["gm"], suites = ["ECC_SM4_GCM_SM4"] }
        [[site]]
        route = [{ path = "/", proxy = "ap" }]
        [upstream.app]
        peers = ["127.0.0.1:1"]
        "#,
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(78));
    for part in [
        "nobody-of-that-name",
        "missing.pem",
        "ECC_SM4_GCM_SM3",
        "`ap`",
    ] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
}

#[test]
fn verifiers_of_mail_passwords_are_made() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("password");
    std::fs::write(&file, "geheim\n").expect("written");
    let file = file.display().to_string();
    let make = |kind| {
        printed(&alb::run(&[
            "mail-password",
            "--kind",
            kind,
            "--password-file",
            &file,
        ]))
    };
    assert!(make("argon2id").starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(make("pbkdf2-sm3").starts_with("$pbkdf2-sm3$i=600000$"));
    assert_ne!(make("pbkdf2-sm3"), make("pbkdf2-sm3"));
    std::fs::write(&file, "\n").expect("written");
    assert!(
        !alb::run(&["mail-password", "--password-file", &file])
            .status
            .success()
    );
}
