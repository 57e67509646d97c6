//! Pinned keys of mail servers: TLS, STARTTLS and TLCP, in each protocol, at a real Dovecot and a real Postfix; TLCP ends at a
//! stream of the same daemon before them. The pins are those that `alb cert show` prints.

use std::net::SocketAddr;

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::{Dialect, IMAP, Listener, POP3, SMTP, plain};
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer, alb};

/// How a server is reached: the place of its address, whether by STARTTLS, its protocols, its authority, and the file of the
/// certificate whose key counts.
const WAYS: [(&str, &str, bool, &str, &str, &str); 3] = [
    ("tls", "$protected", false, "", "ca", "server"),
    ("starttls", "$clear", true, "", "ca", "server"),
    ("tlcp", "$tlcp", false, "\"tlcp\"", "gm-ca", "server-sign"),
];

/// The pin of a certificate, as `alb cert show` prints it.
fn pin(pki: &Pki, name: &str, digest: &str) -> String {
    let file = pki.path().join(format!("{name}.pem"));
    let output = alb::run(&["cert", "show", &file.display().to_string()]);
    let text = String::from_utf8(output.stdout).expect("text");
    let begins = format!("{digest}/");
    let mut words = text.split_whitespace();
    let found = words.find(|word| word.starts_with(&begins));
    found
        .unwrap_or_else(|| panic!("no {begins} in\n{text}"))
        .to_owned()
}

/// Two upstreams for each way: `WAY_right`, whose second pin is the server's, and `WAY_wrong` with the pin of another key; of a
/// pair, that for encryption.
fn config(dialect: &Dialect, pki: &Pki) -> String {
    let mut config = format!(
        "[[stream]]\nlisten = [\"$tlcp\"]\nupstream = \"behind\"\ntls = {{ protocols = [\"tlcp\"], identities = [\"gm\"] }}\n\
         [upstream.behind]\npeers = [\"$clear\"]\n{}",
        pki::IDENTITIES
    );
    for (way, peer, starttls, protocols, ca, shown) in WAYS {
        let wrong = pin(pki, "server-enc", "sha256");
        let right = pin(pki, shown, if way == "tlcp" { "sm3" } else { "sha256" });
        for (name, pins) in [
            ("right", format!("\"{wrong}\", \"{right}\"")),
            ("wrong", format!("\"{wrong}\"")),
        ] {
            let name = format!("{way}_{name}");
            config += &format!(
                "[upstream.{name}]\npeers = [\"{peer}\"]\nmail = {{ starttls = {starttls} }}\n\
                 tls = {{ protocols = [{protocols}], ca = [\"$pki/{ca}.pem\"], server_name = \"localhost\", pins = [{pins}] }}\n{}",
                Listener::new(&name, dialect.name, "implicit", &name)
            );
        }
    }
    config
}

/// Logs in, and expects an answer that begins so.
async fn log_in(dialect: &Dialect, alb: &Alb, pki: &Pki, name: &str, answer: &str) {
    let mut client = LineClient::secure(alb.address(name), &Offer::tlcp(pki)).await;
    client.until(dialect.greeting).await;
    if let Some((line, answer)) = dialect.hello {
        client.ask(line, answer).await;
    }
    let message = plain("alice", PASSWORD);
    let line = format!("{} PLAIN {message}", dialect.authenticate);
    client.ask(&line, answer).await;
}

async fn only_the_pinned_key_is_believed(
    dialect: &Dialect,
    pki: &Pki,
    clear: SocketAddr,
    protected: SocketAddr,
    unavailable: &str,
) {
    let alb = Alb::new()
        .place("pki", pki)
        .place("clear", clear)
        .place("protected", protected)
        .start(&config(dialect, pki))
        .await;
    for (way, .., shown) in WAYS {
        let name = format!("{way}_right");
        within(&name, log_in(dialect, &alb, pki, &name, dialect.welcome)).await;
        let name = format!("{way}_wrong");
        let before = alb.log().mark();
        within(&name, log_in(dialect, &alb, pki, &name, unavailable)).await;
        let line = within(
            &name,
            alb.log().wait_for(before, "mail server cannot be used"),
        )
        .await;
        for said in [
            format!("is `{}`", pin(pki, shown, "sha256")),
            format!("expected `{}`", pin(pki, "server-enc", "sha256")),
            "add the new one to `pins`".to_owned(),
        ] {
            assert!(line.contains(&said), "{said}: {line}");
        }
    }
}

#[tokio::test]
async fn imap_believes_only_the_pinned_key() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let (clear, protected) = (dovecot.imap(), dovecot.imaps());
    only_the_pinned_key_is_believed(&IMAP, &pki, clear, protected, "a NO [UNAVAILABLE]").await;
}

#[tokio::test]
async fn pop3_believes_only_the_pinned_key() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let (clear, protected) = (dovecot.pop3(), dovecot.pop3s());
    only_the_pinned_key_is_believed(&POP3, &pki, clear, protected, "-ERR [SYS/TEMP]").await;
}

#[tokio::test]
async fn smtp_believes_only_the_pinned_key() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let (clear, protected) = (postfix.submission(), postfix.smtps());
    only_the_pinned_key_is_believed(&SMTP, &pki, clear, protected, "454 4.7.0").await;
}

#[test]
fn what_is_no_pin_is_told_where_it_stands() {
    let output = Alb::new().check(
        "[[stream]]\nlisten = [\"127.0.0.1:1\"]\nupstream = \"a\"\n[upstream.a]\npeers = [\"127.0.0.1:2\"]\n\
         tls = { pins = [\"sha1/AAAA\"] }\n",
    );
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for words in [
        ":6:17",
        "`sha1/AAAA` is not a pin",
        "`sha256/` or `sm3/`",
        "alb cert show",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
