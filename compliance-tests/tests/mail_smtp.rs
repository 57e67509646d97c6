//! SMTP in front of a real Postfix: submission, what a client must not get away with, and mail from other servers.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};

const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=";

struct Place {
    pki: Pki,
    dovecot: Dovecot,
    postfix: Postfix,
}

impl Place {
    async fn new() -> Self {
        let pki = Pki::new();
        let dovecot = Dovecot::start(&pki).await;
        let postfix = Postfix::start(&pki, &dovecot).await;
        Self {
            pki,
            dovecot,
            postfix,
        }
    }

    async fn alb(&self, mode: &'static str, smtp: &str, upstream: &str) -> Alb {
        let listener = Listener::new("smtp", "smtp", mode, "postfix").table(smtp);
        let config = format!(
            "{listener}{}\n[upstream.postfix]\n{upstream}\n",
            pki::IDENTITIES
        );
        let alb = Alb::new().place("pki", &self.pki);
        let alb = alb
            .place("submission", self.postfix.submission())
            .place("mx", self.postfix.mx());
        alb.start(&config).await
    }

    async fn submission(&self) -> Alb {
        self.alb("implicit", "", XCLIENT).await
    }

    /// A client that has logged in as alice.
    async fn alice(&self, alb: &Alb) -> LineClient {
        let mut client = LineClient::secure(alb.address("smtp"), &Offer::tlcp(&self.pki)).await;
        client.until("220 mail.test ESMTP ready").await;
        client.ask("EHLO client.test", "250 ").await;
        client.ask(LOGIN, "235 2.7.0").await;
        client
    }
}

const XCLIENT: &str = "peers = [\"$submission\"]\nmail = { client_info = \"xclient\" }";
const MESSAGE: &str = "From: alice@gov.example\r\nSubject: hello\r\n\r\n..stuffed\r\n.";

#[tokio::test]
async fn a_message_is_submitted_over_starttls_and_the_server_knows_the_client_and_the_user() {
    let place = Place::new().await;
    let tls = "peers = [\"$submission\"]\ntls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }\nmail = { starttls = true, client_info = \"xclient\" }";
    let alb = place.alb("starttls", "", tls).await;
    for offer in [Offer::tls(&place.pki), Offer::tlcp(&place.pki)] {
        let mut client = LineClient::connect(alb.address("smtp")).await;
        client.until("220 ").await;
        let offered = client.ask("EHLO client.test", "250 ").await;
        assert!(
            offered.contains("STARTTLS")
                && !offered.contains("AUTH")
                && !offered.contains("XCLIENT"),
            "{offered}"
        );
        client
            .ask("MAIL FROM:<alice@gov.example>", "530 5.7.0")
            .await;
        client.ask(LOGIN, "538 5.7.11").await;
        client.ask("STARTTLS", "220 2.0.0").await;
        client.shake(&offer).await;
        client.ask("STARTTLS", "503 5.5.1").await;
        let offered = client.ask("EHLO client.test", "250 ").await;
        assert!(
            offered.contains("AUTH PLAIN LOGIN") && offered.contains("SIZE 52428800"),
            "{offered}"
        );
        client
            .ask("MAIL FROM:<alice@gov.example>", "530 5.7.1")
            .await;
        client.ask(LOGIN, "235 2.7.0").await;
        client.send("MAIL FROM:<alice@gov.example> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<bob@gov.example> NOTIFY=NEVER\r\nDATA\r\n").await;
        client.until("354").await;
        client.ask(MESSAGE, "250 2.0.0").await;
        client.ask("QUIT", "221").await;
    }
    place
        .postfix
        .process()
        .wait_for("client=unknown[127.0.0.1], sasl_method=PLAIN, sasl_username=alice")
        .await;
    let messages = place.postfix.delivered(2).await;
    assert!(String::from_utf8_lossy(&messages[0]).ends_with("\n.stuffed\n"));
    drop(place.dovecot);
}

#[tokio::test]
async fn nobody_can_become_another_after_login() {
    let place = Place::new().await;
    let alb = place.submission().await;
    let mut client = place.alice(&alb).await;
    let offered = client.ask("EHLO client.test", "250 ").await;
    assert!(
        !offered.contains("XCLIENT") && !offered.contains("AUTH") && !offered.contains("STARTTLS"),
        "{offered}"
    );
    client
        .ask("XCLIENT LOGIN=bob@gov.example", "500 5.5.1")
        .await;
    client.ask("XFORWARD ADDR=6.6.6.6", "500 5.5.1").await;
    client.ask("AUTH PLAIN AGJvYgBzZSBjcmV0", "503 5.5.1").await;
    client.ask("STARTTLS", "503 5.5.1").await;
    client.send("XPROXY\r\n").await;
    assert!(
        client
            .rest()
            .await
            .ends_with("421 4.7.0 Too many errors\r\n")
    );
    let log = place.postfix.process().output().text();
    assert!(!log.contains("bob") && !log.contains("6.6.6.6"), "{log}");
}

#[tokio::test]
async fn a_message_cannot_hide_another() {
    let place = Place::new().await;
    let alb = place.submission().await;
    for hidden in ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\0"] {
        let mut client = place.alice(&alb).await;
        client.ask("MAIL FROM:<alice@gov.example>", "250").await;
        client.ask("RCPT TO:<bob@gov.example>", "250").await;
        client.ask("DATA", "354").await;
        client
            .send(format!(
                "Subject: x\r\n\r\nfirst{hidden}MAIL FROM:<evil@gov.example>\r\n.\r\n"
            ))
            .await;
        let seen = client.rest().await;
        assert_eq!(seen, "521 5.5.2 Lines must end with CRLF\r\n", "{hidden:?}");
    }
    assert!(place.postfix.messages().is_empty());
    let fixed = place
        .alb("implicit", "[mail.smtp]\nbare_lf = \"fix\"", XCLIENT)
        .await;
    let mut client = place.alice(&fixed).await;
    client
        .send("MAIL FROM:<alice@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nDATA\r\n")
        .await;
    client.until("354").await;
    client
        .ask(
            "Subject: x\r\n\r\nfirst\n.\nMAIL FROM:<evil@gov.example>\r\n.\r\n",
            "250 2.0.0",
        )
        .await;
    let messages = place.postfix.delivered(1).await;
    assert!(
        String::from_utf8_lossy(&messages[0]).ends_with("first\n.\nMAIL FROM:<evil@gov.example>\n")
    );
}

#[tokio::test]
async fn a_refused_data_never_turns_the_message_into_commands() {
    let place = Place::new().await;
    let alb = place.submission().await;
    let mut client = place.alice(&alb).await;
    client.ask("DATA", "503").await;
    client.ask("NOOP", "250").await;
    // A client that sends its message all the same sends commands, which count as mistakes.
    client
        .send("MAIL FROM:<alice@gov.example> X=1\r\nRCPT TO:<a@gov.example>\r\n")
        .await;
    client.until("555 5.5.4").await;
    client.until("503").await;
}

#[tokio::test]
async fn chunks_pass_and_are_swallowed_before_login() {
    let place = Place::new().await;
    let alb = place.submission().await;
    let mut client = LineClient::secure(alb.address("smtp"), &Offer::tls(&place.pki)).await;
    client.until("220 ").await;
    client.ask("EHLO client.test", "250 ").await;
    client.send("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n").await;
    client.until("530").await;
    client.until("250").await;
    client.ask(LOGIN, "235").await;
    client.send("MAIL FROM:<alice@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nBDAT 14\r\nSubject: x\r\n\r\nBDAT 7 LAST\r\nchunk\r\n").await;
    client.until("250 2.1.0").await;
    client.until("250 2.1.5").await;
    client.until("250 2.0.0").await;
    client.until("250 2.0.0").await;
    client.ask("BDAT 99999999999", "552 5.3.4").await;
    place.postfix.delivered(1).await;
}

#[tokio::test]
async fn a_large_message_and_many_small_ones_take_constant_memory() {
    let place = Place::new().await;
    let alb = place.submission().await;
    let mut client = place.alice(&alb).await;
    let start = "MAIL FROM:<alice@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nDATA\r\n";
    client.send(start).await;
    client.until("354").await;
    let before = alb.resident_memory();
    client
        .send(format!(
            "Subject: large\r\n\r\n{}",
            "0123456789abcdef\r\n".repeat(25 * (1 << 20) / 18)
        ))
        .await;
    client.ask("\r\n.", "250 2.0.0").await;
    for _ in 0..99 {
        client.send(start).await;
        client.until("354").await;
        client.ask(MESSAGE, "250 2.0.0").await;
    }
    client
        .ask("MAIL FROM:<alice@gov.example>", "450 4.7.1")
        .await;
    let grown = alb.resident_memory().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn sizes_and_recipients_are_limited() {
    let place = Place::new().await;
    let alb = place
        .alb(
            "implicit",
            "[mail.smtp]\nmax_size = \"10KiB\"\nmax_recipients = 2",
            XCLIENT,
        )
        .await;
    let mut client = place.alice(&alb).await;
    client
        .ask("MAIL FROM:<alice@gov.example> SIZE=10241", "552 5.3.4")
        .await;
    client.ask("MAIL FROM:<alice@gov.example>", "250").await;
    for (name, answer) in [("a", "250"), ("b", "250"), ("c", "452 4.5.3")] {
        client
            .ask(&format!("RCPT TO:<{name}@gov.example>"), answer)
            .await;
    }
    client.ask("DATA", "354").await;
    client.send(vec![b'x'; 20_000]).await;
    assert_eq!(client.rest().await, "552 5.3.4 Message too large\r\n");
    assert!(place.postfix.messages().is_empty());
}

#[tokio::test]
async fn wrong_passwords_and_bad_exchanges_have_their_own_replies() {
    let place = Place::new().await;
    let alb = place.submission().await;
    let mut client = LineClient::secure(alb.address("smtp"), &Offer::tls(&place.pki)).await;
    client.until("220 ").await;
    client.ask(LOGIN, "503 5.5.1").await;
    client.ask("EHLO client.test", "250 ").await;
    client.ask("AUTH SCRAM-SHA-1", "504 5.5.4").await;
    client.ask("AUTH LOGIN", "334 VXNlcm5hbWU6").await;
    client.ask("*", "501 5.5.2").await;
    client.ask("AUTH LOGIN YWxpY2U=", "334 UGFzc3dvcmQ6").await;
    client.ask("d3Jvbmc=", "535 5.7.8").await;
    assert!(PASSWORD.contains(' '));
}

#[tokio::test]
async fn bytes_behind_starttls_end_the_connection() {
    let place = Place::new().await;
    let alb = place.alb("starttls", "", XCLIENT).await;
    let mut client = LineClient::connect(alb.address("smtp")).await;
    client.until("220 ").await;
    client.send("STARTTLS\r\nRSET\r\n").await;
    assert_eq!(client.rest().await, "");
    alb.wait_for_log("starttls_injection").await;
}

#[tokio::test]
async fn mail_of_other_servers_is_taken_for_our_domains_only() {
    let place = Place::new().await;
    let mx = "[mail.smtp]\ngreeting_delay = \"100ms\"\nmx = { relay_domains = [\"gov.example\"] }";
    let alb = place
        .alb(
            "optional",
            mx,
            "peers = [\"$mx\"]\nmail = { client_info = \"xclient\" }",
        )
        .await;
    let mut client = LineClient::connect(alb.address("smtp")).await;
    client.until("220 ").await;
    let offered = client.ask("EHLO other.test", "250 ").await;
    assert!(
        offered.contains("STARTTLS") && !offered.contains("AUTH"),
        "{offered}"
    );
    client.ask("MAIL FROM:<x@other.test>", "250 2.1.0").await;
    for denied in [
        "bob@other.test",
        "bob%other.test@gov.example",
        "@gov.example:bob@other.test",
        "other.test!bob@gov.example",
    ] {
        client
            .ask(
                &format!("RCPT TO:<{denied}>"),
                "550 5.7.1 Relay access denied",
            )
            .await;
    }
    client.ask("RCPT TO:<bob@gov.example>", "250 2.1.5").await;
    client.ask("DATA", "354").await;
    client
        .ask("Subject: from outside\r\n\r\nhello\r\n.", "250 2.0.0")
        .await;
    client.ask("QUIT", "221").await;
    place.postfix.delivered(1).await;
    let mut early = LineClient::connect(alb.address("smtp")).await;
    early.send("EHLO spammer\r\n").await;
    assert!(early.rest().await.starts_with("503 5.5.0"));
}
