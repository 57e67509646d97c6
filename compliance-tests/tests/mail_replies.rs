//! What clients are told before they have logged in, word for word: every refusal, every limit, in each protocol.

use std::net::Ipv4Addr;

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::conversation;
use alb_compliance_tests::mail::{Listener, plain};
use alb_compliance_tests::origin::LineServer;
use alb_compliance_tests::origin::line_server::Act;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Lines;
use alb_compliance_tests::{Alb, address};
use nix::sys::signal::Signal;

/// `\0alice\0wrong`, which the scripted servers refuse, and `\0alice\0right`.
const WRONG: &str = "AGFsaWNlAHdyb25n";
const TAKEN: &str = "AUTH PLAIN AGFsaWNlAHJpZ2h0";

/// Scripted servers, and listeners before them and before nobody: `PROTOCOL_KIND`, and some for SMTP alone.
async fn start(pki: &Pki) -> (Vec<LineServer>, Alb) {
    let no = [
        "535 5.7.8 Not you\r\n",
        "L NO [AUTHENTICATIONFAILED] Not you\r\n",
        "-ERR [AUTH] Not you\r\n",
    ]
    .map(Act::Say);
    let servers = vec![
        LineServer::smtp(&[("AUTH PLAIN AGFsaWNlAHdyb25n", no[0])]).await,
        LineServer::imap(&[("L AUTHENTICATE PLAIN AGFsaWNlAHdyb25n", no[1])]).await,
        LineServer::pop3(&[("PASS wrong", no[2])]).await,
    ];
    let nobody = address::nobody();
    let mut alb = Alb::new()
        .place("pki", pki)
        .place("nobody", nobody.address());
    let mut config = format!(
        "[lockout]\ndelay = \"0s\"\nper_client = 0\n[upstream.nobody]\npeers = [\"$nobody\"]\n{}",
        pki::IDENTITIES
    );
    let offers = [
        "\"SIZE 0\", \"PIPELINING\", \"DSN\"",
        "\"IDLE\"",
        "\"UTF8\"",
    ];
    for ((protocol, server), offers) in ["smtp", "imap", "pop3"]
        .into_iter()
        .zip(&servers)
        .zip(offers)
    {
        alb = alb.place(&format!("{protocol}_server"), server.address());
        config += &format!("[upstream.{protocol}]\npeers = [\"${protocol}_server\"]\n");
        let capabilities = format!("capabilities = [{offers}]");
        let own = |kind: &str, mode, upstream: &str| {
            Listener::new(&format!("{protocol}_{kind}"), protocol, mode, upstream)
                .with(&capabilities)
        };
        let open = "plaintext_auth = true";
        config += &own("starttls", "starttls", protocol).to_string();
        config += &own("open", "none", protocol).with(open).to_string();
        config += &own("down", "none", "nobody").with(open).to_string();
        config += &own("hasty", "none", protocol)
            .with("timeouts = { command = \"1s\" }")
            .with(open)
            .to_string();
    }
    let limited = "[mail.smtp]\nmax_size = \"1KiB\"\nmax_recipients = 1\nmax_messages = 1";
    config += &Listener::new("limited", "smtp", "none", "smtp")
        .with("plaintext_auth = true")
        .table(limited)
        .to_string();
    config += &Listener::new("mx", "smtp", "none", "nobody")
        .with("capabilities = [\"SIZE 0\", \"DSN\"]")
        .table("[mail.smtp]\nmx = { relay_domains = [\"gov.example\"] }")
        .to_string();
    config += &Listener::new("early", "smtp", "none", "smtp")
        .with("plaintext_auth = true")
        .table("[mail.smtp]\ngreeting_delay = \"30s\"")
        .to_string();
    (servers, alb.start(&config).await)
}

fn greeting(listener: &str) -> &'static str {
    match listener.split('_').next() {
        Some("imap") => "* OK",
        Some("pop3") => "+OK",
        _ => "220 mail.test ESMTP ready\r\n",
    }
}

#[tokio::test]
async fn smtp_clients_are_told_word_for_word() {
    let pki = Pki::new();
    let (_servers, alb) = start(&pki).await;
    for conversation in conversation::read(include_str!("mail_replies/smtp.txt")) {
        conversation
            .hold(&alb, Ipv4Addr::LOCALHOST, &Lines::default())
            .await;
    }
}

#[tokio::test]
async fn imap_clients_are_told_word_for_word() {
    let pki = Pki::new();
    let (_servers, alb) = start(&pki).await;
    for conversation in conversation::read(include_str!("mail_replies/imap.txt")) {
        conversation
            .hold(&alb, Ipv4Addr::LOCALHOST, &Lines::default())
            .await;
    }
}

#[tokio::test]
async fn pop3_clients_are_told_word_for_word() {
    let pki = Pki::new();
    let (servers, alb) = start(&pki).await;
    for conversation in conversation::read(include_str!("mail_replies/pop3.txt")) {
        conversation
            .hold(&alb, Ipv4Addr::LOCALHOST, &Lines::default())
            .await;
    }
    // The password is all that is behind the first space.
    let heard = servers[2].heard().text();
    assert!(heard.contains("PASS  two  words \r\n"), "{heard}");
}

/// Who has not logged in is told to come back, and who has just sends on.
#[tokio::test]
async fn clients_of_a_leaving_daemon_are_told_word_for_word() {
    let pki = Pki::new();
    let (_servers, alb) = start(&pki).await;
    let told = [
        ("smtp_open", "421 4.3.2 Shutting down, try again later\r\n"),
        (
            "imap_open",
            "* BYE [UNAVAILABLE] Server is shutting down, try again later\r\n",
        ),
        (
            "pop3_open",
            "-ERR [SYS/TEMP] Server is shutting down, try again later\r\n",
        ),
    ];
    let mut clients = Vec::new();
    for (listener, words) in told {
        let mut client = LineClient::connect(alb.address(listener)).await;
        client.until(greeting(listener)).await;
        clients.push((client, words));
    }
    let mut sending = LineClient::connect(alb.address("smtp_open")).await;
    sending.until("220").await;
    let turns = [
        ("EHLO c.test", "250 "),
        (TAKEN, "235"),
        ("MAIL FROM:<alice@gov.example>", "250"),
        ("RCPT TO:<bob@gov.example>", "250"),
        ("DATA", "354"),
    ];
    for (line, answer) in turns {
        sending.ask(line, answer).await;
    }
    alb.signal(Signal::SIGQUIT);
    for (mut client, words) in clients {
        assert_eq!(client.rest().await, words);
    }
    sending.send("Subject: x\r\n\r\nx\r\n.\r\n").await;
    assert_eq!(
        sending.rest().await,
        "250 2.0.0 queued\r\n421 4.3.2 Shutting down, try again later\r\n"
    );
}

#[test]
fn the_messages_in_the_rows_are_what_they_are_said_to_be() {
    assert_eq!(plain("alice", "wrong"), WRONG);
    assert_eq!(format!("AUTH PLAIN {}", plain("alice", "right")), TAKEN);
}
