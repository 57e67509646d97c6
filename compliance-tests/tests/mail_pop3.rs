//! POP3 in front of a real Dovecot.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::line_server::Act;
use alb_compliance_tests::origin::{Dovecot, LineServer};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};

fn config(mode: &'static str, upstream: &str) -> String {
    let listener = Listener::new("pop", "pop3", mode, "dovecot");
    format!(
        "{listener}{}[upstream.dovecot]\npeers = [\"$backend\"]\n{upstream}\n",
        pki::IDENTITIES
    )
}

async fn start(mode: &'static str, upstream: &str) -> (Pki, Dovecot, Alb) {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", dovecot.pop3());
    let alb = alb.start(&config(mode, upstream)).await;
    (pki, dovecot, alb)
}

#[tokio::test]
async fn a_password_with_a_space_opens_the_mailbox_over_tls_and_tlcp() {
    let (pki, dovecot, alb) = start("implicit", "mail = { client_info = \"xclient\" }").await;
    for offer in [Offer::tls(&pki), Offer::tlcp(&pki)] {
        let mut client = LineClient::secure(alb.address("pop"), &offer).await;
        client.until("+OK mail.test ready").await;
        let offered = client.ask("CAPA", ".").await;
        assert!(
            offered.contains("USER\r\n")
                && offered.contains("SASL PLAIN LOGIN\r\n")
                && !offered.contains("STLS"),
            "{offered}"
        );
        client.ask("USER alice", "+OK").await;
        client.ask(&format!("PASS {PASSWORD}"), "+OK").await;
        client.ask("STAT", "+OK 0").await;
        client.ask("QUIT", "+OK").await;
    }
    dovecot
        .process()
        .wait_for("pop3-login: Info: Login: user=<alice>, method=PLAIN, rip=127.0.0.1")
        .await;
}

#[tokio::test]
async fn stls_comes_before_any_password_and_the_server_is_spoken_to_in_tls() {
    let (pki, _dovecot, alb) = start(
        "starttls",
        "tls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }\nmail = { starttls = true }",
    )
    .await;
    let mut client = LineClient::connect(alb.address("pop")).await;
    client.until("+OK").await;
    let offered = client.ask("CAPA", ".").await;
    assert!(
        offered.contains("STLS") && !offered.contains("SASL") && !offered.contains("USER"),
        "{offered}"
    );
    client.ask("USER alice", "-ERR Use STLS first").await;
    client.ask("STLS", "+OK").await;
    client.shake(&Offer::tlcp(&pki)).await;
    client.ask("STLS", "-ERR").await;
    client.ask("AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=", "+OK").await;
    client.ask("UIDL", ".").await;
}

#[tokio::test]
async fn a_wrong_password_is_told_by_its_code_and_stls_with_more_behind_it_is_an_attack() {
    let (pki, _dovecot, alb) = start("starttls", "").await;
    let mut client = LineClient::connect(alb.address("pop")).await;
    client.until("+OK").await;
    client.ask("STLS", "+OK").await;
    client.shake(&Offer::tls(&pki)).await;
    client.ask("USER alice", "+OK").await;
    client.ask("PASS wrong", "-ERR [AUTH]").await;
    client.ask("PASS wrong", "-ERR").await;
    client
        .ask(&format!("USER {}", "a".repeat(300)), "-ERR")
        .await;
    let mut client = LineClient::connect(alb.address("pop")).await;
    client.until("+OK").await;
    client.send("STLS\r\nUSER mallory\r\n").await;
    assert_eq!(client.rest().await, "");
    alb.wait_for_log("starttls_injection").await;
}

#[tokio::test]
async fn without_a_server_the_failure_is_temporary() {
    let pki = Pki::new();
    let nobody = alb_compliance_tests::address::nobody();
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", nobody.address());
    let alb = alb.start(&config("implicit", "")).await;
    let mut client = LineClient::secure(alb.address("pop"), &Offer::tls(&pki)).await;
    client.until("+OK").await;
    client.ask("USER alice", "+OK").await;
    client.ask("PASS x", "-ERR [SYS/TEMP]").await;
}

#[tokio::test]
async fn passwords_come_in_no_other_way_than_those_offered() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let config = config("implicit", "").replace(
        "hostname",
        "mechanisms = [\"oauthbearer\"]\ncapabilities = [\"SASL OAUTHBEARER\"]\nhostname",
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", dovecot.pop3());
    let alb = alb.start(&config).await;
    let mut client = LineClient::secure(alb.address("pop"), &Offer::tls(&pki)).await;
    client.until("+OK").await;
    let offered = client.ask("CAPA", ".").await;
    assert!(
        !offered.contains("USER") && offered.contains("SASL OAUTHBEARER\r\n"),
        "{offered}"
    );
    client.ask("USER alice", "-ERR Use AUTH").await;
    client.ask("AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=", "-ERR").await;
}

/// A listener in the clear before `server`, and a client that has been greeted and has given its name.
const CLEAR: &str = "[[mail]]\nprotocol = \"pop3\"\nlisten = [\"$pop\"]\nupstream = \"server\"\nplaintext_auth = true\n\
    [upstream.server]\npeers = [\"$server\"]\n";

async fn named(alb: &Alb) -> LineClient {
    let mut client = LineClient::connect(alb.address("pop")).await;
    client.until("+OK").await;
    client.ask("USER alice", "+OK").await;
    client
}

#[tokio::test]
async fn servers_that_are_known_to_take_user_are_not_asked_at_each_login() {
    let server = LineServer::pop3(&[]).await;
    let alb = Alb::new().place("server", server.address());
    let alb = alb.start(CLEAR).await;
    for _ in 0..3 {
        let mut client = named(&alb).await;
        client.ask("PASS se cret", "+OK in").await;
        client.ask("QUIT", "+OK bye").await;
    }
    let heard = server.heard().text();
    let count = |line: &str| {
        heard
            .lines()
            .filter(|heard| heard.starts_with(line))
            .count()
    };
    assert_eq!(
        (count("CAPA"), count("USER alice"), count("PASS se cret")),
        (1, 3, 3),
        "{heard}"
    );
}

#[tokio::test]
async fn a_server_that_refuses_user_is_asked_and_hears_no_password() {
    for refusal in [
        Act::Say("-ERR not here\r\n"),
        Act::Last("-ERR not here\r\n"),
    ] {
        let server = LineServer::pop3(&[("USER", refusal)]).await;
        let alb = Alb::new().place("server", server.address());
        let alb = alb.start(CLEAR).await;
        let mut client = named(&alb).await;
        client.ask("PASS se cret", "-ERR [AUTH] not here").await;
        let heard = server.heard().text();
        let asked = heard
            .lines()
            .filter(|line| line.starts_with("CAPA"))
            .count();
        let stayed = matches!(refusal, Act::Say(_));
        assert_eq!(asked, 1 + usize::from(stayed), "{heard}");
        assert!(!heard.contains("cret"), "{heard}");
    }
}
