//! How mail sessions behave at their edges: health checks that speak as sessions do, and the end of the daemon.

use std::time::{Duration, Instant};

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dovecot, Script};
use alb_compliance_tests::pki::Pki;
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_health_check_learns_behind_starttls_and_says_goodbye() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("mailbox", dovecot.imap());
    let _alb = alb
        .start(
            "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"dovecot\"\nplaintext_auth = true\n\
             [upstream.dovecot]\npeers = [\"$mailbox\"]\nmail = { starttls = true }\n\
             tls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }\n\
             health = { kind = \"imap\", interval = \"100ms\", timeout = \"5s\" }\n",
        )
        .await;
    // No client has come: it is the check that was there, inside TLS.
    let said = dovecot
        .process()
        .wait_for("Aborted login by logging out")
        .await;
    assert!(said.contains(", TLS"), "{said}");
}

#[tokio::test]
async fn a_health_check_sends_the_proxy_header_and_ends_when_ehlo_is_refused() {
    let (seen, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let server = Script::start(move |mut stream| {
        let seen = seen.clone();
        async move {
            let mut bytes = vec![0; 1024];
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            let _ = seen.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
            let _ = stream.write_all(b"220 mail.test\r\n").await;
            let count = stream.read(&mut bytes).await.unwrap_or(0);
            let _ = seen.send(String::from_utf8_lossy(&bytes[..count]).into_owned());
            let _ = stream.write_all(b"502 5.5.1 no\r\n").await;
        }
    })
    .await;
    let alb = Alb::new()
        .place("behind", server.address())
        .start(
            "[[mail]]\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"behind\"\nplaintext_auth = true\n\
             [upstream.behind]\npeers = [\"$behind\"]\nproxy_protocol = \"v1\"\n\
             health = { kind = \"smtp\", interval = \"100ms\", timeout = \"5s\" }\n",
        )
        .await;
    let header = heard.recv().await.expect("a check");
    assert!(header.starts_with("PROXY "), "{header}");
    let hello = heard.recv().await.expect("a command");
    assert!(hello.starts_with("EHLO "), "{hello}");
    alb.wait_for_log("the peer is not used").await;
}

#[tokio::test]
async fn mailboxes_are_closed_before_the_drain_is_over() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("mailbox", dovecot.imap())
        .start(
            "[daemon]\ndrain_timeout = \"3s\"\n\
             [[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"dovecot\"\nplaintext_auth = true\n\
             [upstream.dovecot]\npeers = [\"$mailbox\"]\n",
        )
        .await;
    let mut sessions = Vec::new();
    for _ in 0..3 {
        let mut session = LineClient::connect(alb.address("imap")).await;
        session.until("* OK").await;
        session.ask("a LOGIN alice \"se cret\"", "a OK").await;
        sessions.push(session);
    }
    let left = Instant::now();
    alb.signal(Signal::SIGQUIT);
    for session in &mut sessions {
        session.rest().await;
    }
    assert!(
        left.elapsed() < Duration::from_secs(3),
        "{:?}",
        left.elapsed()
    );
    assert!(alb.wait().await.success());
    let log = alb.log().text();
    assert!(!log.contains("`drain_timeout` is over"), "{log}");
    assert_eq!(log.matches("reason=\"draining\"").count(), 3, "{log}");
}

#[tokio::test]
async fn a_reload_changes_what_the_next_clients_of_a_worker_are_promised() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let config = |mechanisms: &str| {
        let mail = "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"dovecot\"\nplaintext_auth = true";
        format!(
            "[daemon]\nworkers = 1\n{mail}\nmechanisms = {mechanisms}\n[upstream.dovecot]\npeers = [\"$mailbox\"]\n"
        )
    };
    let (plain, both) = ("[\"plain\"]", "[\"plain\", \"login\"]");
    let alb = Alb::new().place("mailbox", dovecot.imap());
    let alb = alb.start(&config(plain)).await;
    for (mechanisms, login) in [(plain, false), (both, true), (plain, false)] {
        alb.rewrite(&config(mechanisms));
        alb.reload().await.expect("a good configuration");
        for _ in 0..2 {
            let mut session = LineClient::connect(alb.address("imap")).await;
            let greeting = session.until("* OK").await;
            assert_eq!(greeting.contains("AUTH=LOGIN"), login, "{greeting}");
        }
    }
}
