//! What mail servers are told, and what they must never hear: by servers that write down what was said to them, and Postfix.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dialogue, Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::{Alb, Offer, pki};
use openssl::base64::encode_block;

/// `alice` with the password of all users, as `openssl passwd -6` writes it.
const USERS: &str = "alice $6$abcdefgh$xipHhw9/NU1ASPvh9yHqieZTU/wnHyMSOZS8m4xkh3DunUWS9aWU6YyGCVH6.orJUrRcjNuTwSSMmBOVdkdOl0\n";

/// The mechanism PLAIN for alice.
const ALICE: &str = "AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=";

/// What a client says, and how the answer begins.
type Turn = (&'static str, &'static str);

/// SMTP behind a PROXY header, with users whom the gateway verifies and names.
const NAMING: &str = r#"
    [[mail]]
    protocol = "smtp"
    listen = ["$smtp"]
    upstream = "postfix"
    auth = "staff"
    plaintext_auth = true
    proxy_protocol = true
    trusted_proxies = ["127.0.0.1"]
    [mail_auth.staff]
    file = "users"
    [upstream.postfix]
    peers = ["$server"]
    mail = { client_info = "xclient", login = "xclient" }
"#;

/// A client of SMTP that comes from an address of IPv6.
async fn from_afar(alb: &Alb, helo: &str) -> LineClient {
    let mut client = LineClient::connect(alb.address("smtp")).await;
    let header = "PROXY TCP6 2001:db8::7 2001:db8::1 4711 587\r\n";
    client.send(header).await;
    client.until("220").await;
    client.ask(&format!("EHLO {helo}"), "250 ").await;
    client
}

#[tokio::test]
async fn postfix_takes_the_user_and_the_address_that_xclient_names() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = Alb::new()
        .place("server", postfix.submission())
        .private_file("users", USERS)
        .start(NAMING)
        .await;
    let mut client = from_afar(&alb, "client.test").await;
    client.ask("AUTH PLAIN AGFsaWNlAHdyb25n", "535").await;
    client.ask(ALICE, "235").await;
    client.ask("MAIL FROM:<alice@gov.example>", "250").await;
    client.ask("RCPT TO:<bob@gov.example>", "250").await;
    let log = postfix.process();
    let line = log.wait_for("sasl_username=alice").await;
    assert!(line.contains("[2001:db8::7]"), "{line}");
}

#[tokio::test]
async fn xclient_is_one_line_within_its_length_whatever_the_client_is_called() {
    let server = Dialogue::start(
        "220 ready",
        &[
            (
                "EHLO",
                "250-server\r\n250-SIZE 10000\r\n250 XCLIENT NAME ADDR PORT PROTO HELO LOGIN",
            ),
            ("XCLIENT", "220 again"),
        ],
    )
    .await;
    let alb = Alb::new()
        .place("server", server.address())
        .private_file("users", USERS.replace("alice", "*"))
        .start(NAMING)
        .await;
    // Three bytes for each `+`.
    let (helo, plus) = ("x".repeat(200), "+".repeat(90));
    for (helo, user) in [("client.test", "alice"), (&helo, &plus)] {
        let message = format!("\0{user}\0se cret");
        let login = format!("AUTH PLAIN {}", encode_block(message.as_bytes()));
        from_afar(&alb, helo)
            .await
            .ask(&login.replace('\n', ""), "235")
            .await;
    }
    let heard = server.heard().text();
    let told: Vec<_> = heard.lines().filter(|l| l.starts_with("XCLIENT")).collect();
    let told_of_all = "XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7 PORT=4711 PROTO=ESMTP";
    let expected = [
        format!("{told_of_all} HELO=client.test LOGIN=alice"),
        format!("{told_of_all} LOGIN={}", "+2B".repeat(90)),
    ];
    assert_eq!(told, expected);
    assert!(!heard.contains("AUTH"), "{heard}");
}

#[tokio::test]
async fn a_server_that_wants_no_passwords_here_hears_none() {
    let pki = Pki::new();
    let imap = "* OK [CAPABILITY IMAP4rev1 SASL-IR LOGINDISABLED AUTH=PLAIN] ready";
    let imap = Dialogue::start(imap, &[]).await;
    let pop3 = Dialogue::start("+OK ready", &[("CAPA", "+OK\r\nSTLS\r\nUIDL\r\n.")]).await;
    let smtp = Dialogue::start(
        "220 ready",
        &[("EHLO", "250-server\r\n250-SIZE 10000\r\n250 STARTTLS")],
    )
    .await;
    let section = |protocol: &str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{protocol}\"\n\
             tls = {{ identities = [\"tls\"], mode = \"implicit\" }}\n[upstream.{protocol}]\npeers = [\"$server_{protocol}\"]\n"
        )
    };
    let config = ["imap", "pop3", "smtp"].map(section).concat();
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", imap.address())
        .place("server_pop3", pop3.address())
        .place("server_smtp", smtp.address());
    let alb = alb.start(&(config + pki::IDENTITIES)).await;
    let dialogues: [(&str, &str, &[Turn]); 3] = [
        (
            "imap",
            "* OK",
            &[("a LOGIN alice \"se cret\"", "a NO [UNAVAILABLE]")],
        ),
        (
            "pop3",
            "+OK",
            &[("USER alice", "+OK"), ("PASS se cret", "-ERR [SYS/TEMP]")],
        ),
        (
            "smtp",
            "220",
            &[("EHLO client.test", "250 "), (ALICE, "454")],
        ),
    ];
    for (protocol, greeting, lines) in dialogues {
        let offer = Offer::tls(&pki);
        let mut client = LineClient::secure(alb.address(protocol), &offer).await;
        client.until(greeting).await;
        for (line, answer) in lines {
            client.ask(line, answer).await;
        }
    }
    for server in [&imap, &pop3, &smtp] {
        let heard = server.heard().text();
        let secret = ["cret", "AGFsaWNl", "PASS"];
        assert!(!secret.iter().any(|part| heard.contains(part)), "{heard}");
    }
}

#[tokio::test]
async fn a_long_token_goes_out_only_when_the_server_asks_for_it() {
    let pki = Pki::new();
    let server = Dialogue::start(
        "220 ready",
        &[
            ("EHLO", "250-server\r\n250-SIZE 10000\r\n250 AUTH XOAUTH2"),
            ("AUTH XOAUTH2", "535 5.7.8 not you"),
        ],
    )
    .await;
    let config = "[[mail]]\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"server\"\nmechanisms = [\"xoauth2\"]\n\
                  tls = { identities = [\"tls\"], mode = \"implicit\" }\n[upstream.server]\npeers = [\"$server\"]\n";
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address());
    let alb = alb.start(&format!("{config}{}", pki::IDENTITIES)).await;
    let mut client = LineClient::secure(alb.address("smtp"), &Offer::tls(&pki)).await;
    client.until("220").await;
    client.ask("EHLO client.test", "250 ").await;
    let token = format!("user=alice\x01auth=Bearer {}\x01\x01", "t".repeat(600));
    client
        .ask(
            &format!("AUTH XOAUTH2 {}", encode_block(token.as_bytes())),
            "535 5.7.8 not you",
        )
        .await;
    server.heard().wait_for(0, "AUTH XOAUTH2").await;
    assert!(!server.heard().text().contains("AUTH XOAUTH2 "));
}
