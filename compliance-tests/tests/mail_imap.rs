//! IMAP in front of a real Dovecot: every way in, every way to the server, and what a client must not get away with.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::Dovecot;
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};
use alb_gm::tls::Protocol;

/// Two listeners, `$implicit` and `$starttls`, before the peers of `$backend`.
fn config(upstream: &str) -> String {
    let listener = |mode| Listener::new(mode, "imap", mode, "dovecot");
    format!(
        "{}{}{}\n[upstream.dovecot]\n{upstream}\n",
        listener("implicit"),
        listener("starttls"),
        pki::IDENTITIES
    )
}

const PLAIN: &str = "peers = [\"$backend\"]\nmail = { client_info = \"id\" }";

async fn start(pki: &Pki, dovecot: &Dovecot, upstream: &str) -> Alb {
    let alb = Alb::new()
        .place("pki", pki)
        .place("backend", dovecot.imap());
    alb.start(&config(upstream)).await
}

fn offers(pki: &Pki) -> [(&'static str, Offer); 3] {
    [
        ("TLS 1.2", Offer::new(pki, &[Protocol::Tls12])),
        ("TLS 1.3", Offer::new(pki, &[Protocol::Tls13])),
        ("TLCP", Offer::tlcp(pki)),
    ]
}

/// A client behind STARTTLS.
async fn after_starttls(alb: &Alb, offer: &Offer) -> LineClient {
    let mut client = LineClient::connect(alb.address("starttls")).await;
    client.until("* OK").await;
    client.ask("s STARTTLS", "s OK").await;
    client.shake(offer).await;
    client
}

#[tokio::test]
async fn every_way_in_leads_to_the_mailbox() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    for (name, offer) in offers(&pki) {
        let mut client = LineClient::secure(alb.address("implicit"), &offer).await;
        let greeting = client.until("* OK").await;
        assert!(
            greeting.contains("AUTH=PLAIN") && !greeting.contains("STARTTLS"),
            "{name}: {greeting}"
        );
        client
            .ask(&format!("a LOGIN alice \"{PASSWORD}\""), "a OK")
            .await;
        assert!(
            client
                .ask("b SELECT INBOX", "b OK")
                .await
                .contains("EXISTS"),
            "{name}"
        );
        client.ask("c LOGOUT", "c OK").await;

        let mut client = after_starttls(&alb, &offer).await;
        client.send("a AUTHENTICATE PLAIN\r\n").await;
        client.until("+ ").await;
        client.ask("AGFsaWNlAHNlIGNyZXQ=", "a OK").await;
        client.ask("b STATUS INBOX (MESSAGES)", "b OK").await;
    }
    dovecot.process().wait_for("rip=127.0.0.1").await;
}

#[tokio::test]
async fn the_server_is_reached_by_starttls_and_tls_and_learns_the_port_of_the_client() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let tls = "tls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }";
    for (backend, upstream) in [
        (
            dovecot.imap(),
            format!("{tls}\nmail = {{ starttls = true, client_info = \"id\" }}"),
        ),
        (
            dovecot.imaps(),
            format!("{tls}\nmail = {{ client_info = \"id\" }}"),
        ),
    ] {
        let alb = Alb::new().place("pki", &pki).place("backend", backend);
        let alb = alb
            .start(&config(&format!("peers = [\"$backend\"]\n{upstream}")))
            .await;
        let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
        client.until("* OK").await;
        client
            .ask(&format!("a LOGIN bob \"{PASSWORD}\""), "a OK")
            .await;
        client.ask("c LOGOUT", "c OK").await;
        drop(client);
        alb.wait_for_log("logged_in=true").await;
    }
    dovecot.process().wait_for("user=<bob>").await;
}

#[tokio::test]
async fn a_certificate_of_the_wrong_authority_is_not_believed() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let upstream =
        "peers = [\"$backend\"]\ntls = { ca = [\"$pki/gm-ca.pem\"] }\nmail = { starttls = true }";
    let alb = start(&pki, &dovecot, upstream).await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    client
        .ask(&format!("a LOGIN bob \"{PASSWORD}\""), "a NO [UNAVAILABLE]")
        .await;
    assert!(!dovecot.process().output().text().contains("user=<bob>"));
}

const MASTER: &str = "peers = [\"$backend\"]\nmail = { login = \"master\", master = { user = \"gateway\", password_file = \"gw.pw\" } }";

/// `alice` with the password of all users, as `openssl passwd -6` writes it.
const USERS: &str = "alice $6$abcdefgh$xipHhw9/NU1ASPvh9yHqieZTU/wnHyMSOZS8m4xkh3DunUWS9aWU6YyGCVH6.orJUrRcjNuTwSSMmBOVdkdOl0\n";

#[tokio::test]
async fn a_master_user_logs_in_for_a_client_that_the_gateway_has_verified() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let config = config(MASTER).replace(
        "upstream = \"dovecot\"\n",
        "upstream = \"dovecot\"\nauth = \"staff\"\n",
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", dovecot.imap());
    let alb = alb
        .private_file("gw.pw", "master\n")
        .private_file("users", USERS);
    let alb = alb
        .start(&format!("{config}[mail_auth.staff]\nfile = \"users\"\n"))
        .await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    client
        .ask("a LOGIN alice wrong", "a NO [AUTHENTICATIONFAILED]")
        .await;
    client
        .ask(&format!("b LOGIN alice \"{PASSWORD}\""), "b OK")
        .await;
    client.ask("c LOGOUT", "c OK").await;
    dovecot
        .process()
        .wait_for("Master user logging in as alice")
        .await;
}

#[test]
fn servers_that_believe_the_gateway_need_a_gateway_that_verifies() {
    let pki = Pki::new();
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", "127.0.0.1:143");
    let checked = alb.private_file("gw.pw", "master\n").check(&config(MASTER));
    let errors = String::from_utf8_lossy(&checked.stderr).into_owned()
        + &String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(78), "{errors}");
    assert!(errors.contains("mail_auth"), "{errors}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_three_times_and_then_the_connection_ends() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    client
        .ask("a LOGIN alice wrong", "a NO [AUTHENTICATIONFAILED]")
        .await;
    // What was sent along is answered as if the login had not been there.
    client.send("b LOGIN alice wrong\r\nc NOOP\r\n").await;
    client.until("b NO").await;
    client.until("c OK").await;
    client.send("d LOGIN alice wrong\r\n").await;
    assert!(
        client
            .rest()
            .await
            .ends_with("* BYE Too many failed logins\r\n")
    );
}

#[tokio::test]
async fn commands_sent_with_the_login_are_answered_by_the_server() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    client
        .send(format!(
            "a LOGIN alice {{{}+}}\r\n{PASSWORD}\r\nb SELECT INBOX\r\nc NOOP\r\n",
            PASSWORD.len()
        ))
        .await;
    let seen = client.until("c OK").await;
    assert!(
        seen.find("a OK") < seen.find("EXISTS") && seen.contains("b OK"),
        "{seen}"
    );
}

#[tokio::test]
async fn bytes_behind_starttls_end_the_connection_without_an_answer() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let mut client = LineClient::connect(alb.address("starttls")).await;
    let greeting = client.until("* OK").await;
    assert!(
        greeting.contains("STARTTLS LOGINDISABLED") && !greeting.contains("AUTH="),
        "{greeting}"
    );
    client
        .ask("a LOGIN alice x", "a NO [PRIVACYREQUIRED]")
        .await;
    // Nor is its literal asked for.
    client.ask("l LOGIN {5}", "l NO [PRIVACYREQUIRED]").await;
    client.send("b STARTTLS\r\nc LOGIN mallory x\r\n").await;
    assert_eq!(client.rest().await, "");
    alb.wait_for_log("starttls_injection").await;
}

#[tokio::test]
async fn a_client_cannot_say_where_it_comes_from() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    client
        .ask(
            "i ID (\"name\" \"mutt\" \"x-originating-ip\" \"6.6.6.6\")",
            "i OK",
        )
        .await;
    client
        .ask(&format!("a LOGIN alice \"{PASSWORD}\""), "a OK")
        .await;
    client.ask("c LOGOUT", "c OK").await;
    dovecot.process().wait_for("user=<alice>").await;
    assert!(!dovecot.process().output().text().contains("6.6.6.6"));
}

#[tokio::test]
async fn limits_of_commands_hold_before_login() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let connect = || async {
        let mut client = LineClient::secure(alb.address("implicit"), &Offer::tls(&pki)).await;
        client.until("* OK").await;
        client
    };
    let mut client = connect().await;
    client
        .ask("a LOGIN {18446744073709551621}", "a BAD [TOOBIG]")
        .await;
    client.ask("b SELECT INBOX", "b BAD").await;
    client.ask("* NOOP", "* BAD").await;
    client.ask("c STARTTLS", "c BAD").await;
    client.send("d UNKNOWN\r\n").await;
    assert!(
        client
            .rest()
            .await
            .ends_with("* BYE Too many invalid commands\r\n")
    );
    let mut client = connect().await;
    client.send("a LOGIN {4097+}\r\nb LOGOUT\r\n").await;
    let seen = client.rest().await;
    assert!(seen.starts_with("a BAD") && !seen.contains("b "), "{seen}");
    let mut client = connect().await;
    client.send(vec![b'a'; 9000]).await;
    assert!(client.rest().await.starts_with("* BAD line too long"));
}

#[tokio::test]
async fn five_megabytes_go_up_and_come_back() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = start(&pki, &dovecot, PLAIN).await;
    let mut client = LineClient::secure(alb.address("implicit"), &Offer::tlcp(&pki)).await;
    client.until("* OK").await;
    client
        .ask(&format!("a LOGIN alice \"{PASSWORD}\""), "a OK")
        .await;
    let message = format!(
        "Subject: large\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(1_200_000 / 4)
    );
    client
        .ask(&format!("b APPEND INBOX {{{}}}", message.len()), "+ ")
        .await;
    let before = alb.resident_memory();
    client.send(&message).await;
    client.ask("", "b OK").await;
    client.ask("c SELECT INBOX", "c OK").await;
    let fetched = client.ask("d FETCH 1 BODY[]", "d OK").await;
    assert!(fetched.contains(&message), "what was fetched differs");
    let grown = alb.resident_memory().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
}
