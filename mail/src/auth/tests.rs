//! Decisions of authenticators that are built from configurations.

mod directory;
mod service;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use alb_conf::MailProtocol;
use alb_core::ConnInfo;
use alb_core::upstream::{Settings, Upstream};

use crate::client_name::ClientName;

use super::*;

/// The authenticator `[mail_auth.a]` of a configuration, and what is wrong with it.
fn build(toml: &str) -> Result<Authenticator, Vec<String>> {
    let config = alb_conf::check_str(toml).unwrap_or_else(|report| panic!("{report}"));
    let upstreams: HashMap<String, Arc<Upstream>> = config
        .upstream
        .iter()
        .map(|(name, written)| {
            let settings = Settings::new(written, None);
            let upstream = Upstream::new(name, settings, written.peers.clone(), None);
            (name.to_string(), upstream)
        })
        .collect();
    let built = Authenticator::build(&config.mail_auth["a"], &upstreams);
    built.map_err(|problems| {
        problems
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    })
}

fn conn() -> ConnInfo {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    ConnInfo {
        id: 1,
        peer: address("192.0.2.7:4000"),
        via: None,
        local: address("192.0.2.1:993"),
        tls: None,
    }
}

async fn login(authenticator: &Authenticator, user: &str, password: &str) -> Decision {
    let credentials = Credentials::password(user.as_bytes(), password.as_bytes());
    decide(authenticator, &credentials.expect("credentials")).await
}

async fn decide(authenticator: &Authenticator, credentials: &Credentials) -> Decision {
    let conn = conn();
    let attempt = Attempt {
        protocol: MailProtocol::Imap,
        conn: &conn,
        client_name: &ClientName::None,
        number: 1,
        what: Asked::Login(credentials),
    };
    authenticator.decide(&attempt).await
}

#[track_caller]
fn accepted(decision: Decision) -> Accepted {
    match decision {
        Decision::Accept(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(decision: Decision) -> Refusal {
    match decision {
        Decision::Refuse(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn unavailable(decision: Decision) -> String {
    match decision {
        Decision::Unavailable { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_a_source_the_server_decides() {
    let authenticator = Authenticator::passthrough();
    let who = accepted(login(&authenticator, "Zhang@Example.CN", "pw").await);
    assert_eq!(
        (who.user.as_str(), who.login.as_str()),
        ("Zhang@example.cn", "Zhang@Example.CN")
    );
    assert!(who.upstream.is_none() && who.password.is_none());
}

#[tokio::test]
async fn an_empty_password_is_wrong_everywhere() {
    let authenticator = Authenticator::passthrough();
    assert!(refused(login(&authenticator, "zhang", "").await).rejected);
}

#[tokio::test]
async fn users_and_domains_lead_to_their_upstreams() {
    let authenticator = build(
        r#"
        [mail_auth.a]
        domains = { "A.cn" = "second" }
        users = { "zhang@a.cn" = "third" }
        [upstream.second]
        peers = ["127.0.0.1:9"]
        [upstream.third]
        peers = ["127.0.0.1:9"]
        "#,
    )
    .expect("an authenticator");
    for (user, upstream) in [
        ("li@a.cn", Some("second")),
        ("zhang@A.cn", Some("third")),
        ("li@b.cn", None),
    ] {
        let who = accepted(login(&authenticator, user, "pw").await);
        assert_eq!(who.upstream.as_deref(), upstream, "{user}");
    }
}

fn user_file(lines: &str) -> (tempfile::NamedTempFile, String) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), lines).expect("written");
    let toml = format!("[mail_auth.a]\nfile = \"{}\"\n", file.path().display());
    (file, toml)
}

#[tokio::test]
async fn a_source_of_ours_lets_nobody_act_for_another() {
    let (_file, toml) = user_file("zhang {PLAIN}pw\n");
    let toml = format!("{toml}master_separator = \"*\"\n");
    let authenticator = build(&toml).expect("an authenticator");
    accepted(login(&authenticator, "zhang", "pw").await);
    refused(login(&authenticator, "zhang*zhang", "pw").await);
    let mut credentials = Credentials::password(b"zhang", b"pw").expect("credentials");
    credentials.authzid = Some("root".to_owned());
    refused(decide(&authenticator, &credentials).await);
}

#[tokio::test]
async fn a_certificate_that_nobody_verified_is_no_login() {
    let authenticator = build("[mail_auth.a]\ncertificate = {}\n").expect("an authenticator");
    let credentials = Credentials {
        user: "zhang".to_owned(),
        authzid: None,
        proof: Proof::Certificate,
    };
    refused(decide(&authenticator, &credentials).await);
}

#[tokio::test]
async fn a_second_factor_that_is_missing_refuses_a_right_password() {
    let (_file, toml) = user_file("zhang {PLAIN}pw\n");
    let authenticator = build(&format!("{toml}certificate = {{ second_factor = true }}\n"));
    refused(login(&authenticator.expect("an authenticator"), "zhang", "pw").await);
}

#[test]
fn a_bad_file_is_named_line_by_line() {
    let (_file, toml) = user_file("zhang {PLAIN}pw nowhere\n");
    let problems = build(&toml).err().expect("refused");
    assert!(problems[0].contains("`nowhere`"), "{problems:?}");
    let (_file, toml) = user_file("zhang hunter2\nli\n");
    let problems = build(&toml).err().expect("refused");
    assert!(
        problems.len() == 2 && problems[1].contains("line 2"),
        "{problems:?}"
    );
    assert!(!problems[0].contains("hunter2"));
}
