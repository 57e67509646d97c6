//! One message for the servers of two upstreams, each a real Postfix, or one of them and a server by script.

mod fanout;

use alb_compliance_tests::origin::line_server::{Act, LEAVE, LineServer};
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use fanout::{BOTH, Gateway, MAIL, send, sender};

const XCLIENT: &str = "mail = { client_info = \"xclient\" }";

/// Whom each Postfix asks about logins, though nobody logs in here.
struct Users {
    pki: Pki,
    dovecot: Dovecot,
}

impl Users {
    async fn new() -> Self {
        let pki = Pki::new();
        let dovecot = Dovecot::start(&pki).await;
        Users { pki, dovecot }
    }

    async fn postfix(&self) -> Postfix {
        Postfix::start(&self.pki, &self.dovecot).await
    }
}

/// The text of the only message.
fn only(messages: Vec<Vec<u8>>) -> String {
    assert_eq!(messages.len(), 1);
    String::from_utf8(messages.into_iter().next().expect("a message")).expect("text")
}

#[tokio::test]
async fn a_message_for_two_upstreams_is_delivered_to_both() {
    let users = Users::new().await;
    let (one, two) = (users.postfix().await, users.postfix().await);
    let gateway = Gateway {
        upstream: XCLIENT,
        ..Gateway::default()
    };
    let (alb, log) = gateway.start(one.mx(), two.mx()).await;
    let mut client = sender(&alb).await;
    let message = "Subject: both\r\n\r\n..dots\r\n..\r\nend\r\n";
    send(
        &mut client,
        BOTH,
        message,
        "250 2.0.0 Ok, taken by 2 servers",
    )
    .await;
    for (postfix, to) in [(&one, "bob@gov.example"), (&two, "eve@other.example")] {
        let arrived = only(postfix.delivered(1).await);
        assert!(arrived.ends_with("\n\n.dots\n.\nend\n"), "{arrived}");
        let to = format!("Delivered-To: {to}\n");
        assert!(
            arrived.contains(&to) && arrived.contains("<carol@sender.test>"),
            "{arrived}"
        );
        // Each knows who has brought it.
        assert!(
            arrived.contains("from sender.test (unknown [127.0.0.1])"),
            "{arrived}"
        );
    }
    client.ask("QUIT", "221").await;
    let line = log.wait_for("\"type\":\"message\"").await;
    let names = [
        "\"rcpt\":[\"bob@gov.example\",\"eve@other.example\"]".to_owned(),
        "\"queue_reply\":\"250 2.0.0 Ok, taken by 2 servers\"".to_owned(),
        format!("\"replies\":[\"one {}: 250 2.0.0 Ok: queued as", one.mx()),
        format!("\"two {}: 250 2.0.0 Ok: queued as", two.mx()),
    ];
    for part in names {
        assert!(line.contains(&part), "{part}: {line}");
    }
    let session = log.wait_for("\"type\":\"session\"").await;
    assert!(session.contains("\"messages\":1"), "{session}");
}

#[tokio::test]
async fn messages_of_one_session_go_each_its_own_way() {
    let users = Users::new().await;
    let (one, two) = (users.postfix().await, users.postfix().await);
    for defer in [false, true] {
        let gateway = Gateway {
            upstream: XCLIENT,
            defer,
            ..Gateway::default()
        };
        let (alb, log) = gateway.start(one.mx(), two.mx()).await;
        let before = (one.messages().len(), two.messages().len());
        let mut client = sender(&alb).await;
        let from = "MAIL FROM:<carol@sender.test>\r\n";
        for to in [
            "bob@gov.example",
            "bob@gov.example",
            "eve@other.example",
            "bob@gov.example",
        ] {
            let envelope = format!("{from}RCPT TO:<{to}>\r\n");
            send(&mut client, &envelope, MAIL, "250 2.0.0 Ok: queued as").await;
        }
        client.ask("QUIT", "221").await;
        assert_eq!(one.delivered(before.0 + 3).await.len(), before.0 + 3);
        assert_eq!(two.delivered(before.1 + 1).await.len(), before.1 + 1);
        let session = log.wait_for("\"type\":\"session\"").await;
        assert!(session.contains("\"messages\":4"), "{session}");
    }
}

#[tokio::test]
async fn a_large_message_is_the_same_everywhere() {
    let users = Users::new().await;
    let (one, two) = (users.postfix().await, users.postfix().await);
    let (alb, _log) = Gateway::default().start(one.mx(), two.mx()).await;
    let mut client = sender(&alb).await;
    let body = "..0123456789abcdef\r\n".repeat(5 * (1 << 20) / 20);
    let message = format!("Subject: large\r\n\r\n{body}");
    send(
        &mut client,
        BOTH,
        &message,
        "250 2.0.0 Ok, taken by 2 servers",
    )
    .await;
    let expected = body
        .replace("\r\n..", "\n.")
        .replacen("..", ".", 1)
        .replace("\r\n", "\n");
    for postfix in [&one, &two] {
        let arrived = only(postfix.delivered(1).await);
        let (_, content) = arrived.split_once("\n\n").expect("a body");
        assert!(
            content == expected,
            "{} bytes of {}",
            content.len(),
            expected.len()
        );
    }
    // The session is as good as new.
    send(&mut client, BOTH, MAIL, "250 2.0.0 Ok, taken by 2 servers").await;
}

#[tokio::test]
async fn a_server_that_refuses_a_recipient_gets_no_message() {
    let users = Users::new().await;
    let (one, two) = (
        users.postfix().await,
        LineServer::smtp(&[("RCPT", Act::Say("550 5.1.1 no such user\r\n"))]).await,
    );
    let (alb, _log) = Gateway::default().start(one.mx(), two.address()).await;
    let mut client = sender(&alb).await;
    client.send(BOTH).await;
    client.until("250 2.1.0").await;
    client.until("250 2.1.5").await;
    client.until("550 5.1.1 no such user").await;
    client.ask("DATA", "354").await;
    client.send(MAIL).await;
    client.ask(".", "250 2.0.0 Ok: queued as").await;
    one.delivered(1).await;
    two.deserted().await;
    let heard = two.heard().text();
    assert!(heard.contains("QUIT") && !heard.contains("DATA"), "{heard}");
}

#[tokio::test]
async fn a_refusal_after_another_has_taken_it_says_who_has_not() {
    let users = Users::new().await;
    for (refusal, answer) in [
        (
            "550 5.7.1 not this\r\n",
            "554 5.0.0 for whom a server says: 550 5.7.1 not this",
        ),
        (
            "451 4.7.1 later\r\n",
            "451 4.3.0 Not every server has taken the message",
        ),
    ] {
        let (one, two) = (
            users.postfix().await,
            LineServer::smtp(&[(".\r", Act::Say(refusal))]).await,
        );
        let (alb, log) = Gateway::default().start(one.mx(), two.address()).await;
        let mut client = sender(&alb).await;
        let said = send(&mut client, BOTH, MAIL, answer).await;
        let named = said.contains("554-5.0.0 <eve@other.example>\r\n") && !said.contains("bob");
        assert_eq!(named, answer.starts_with('5'), "{said}");
        one.delivered(1).await;
        let line = log.wait_for("\"type\":\"message\"").await;
        let each = format!("\"two {}: {}\"]", two.address(), refusal.trim());
        assert!(
            line.contains(": 250 2.0.0 Ok: queued as") && line.contains(&each),
            "{line}"
        );
        // The session goes on.
        let alone = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<bob@gov.example>\r\n";
        send(&mut client, alone, MAIL, "250 2.0.0 Ok: queued as").await;
    }
}

#[tokio::test]
async fn a_refusal_before_another_has_taken_it_keeps_it_from_all() {
    let users = Users::new().await;
    for refusal in ["550 5.7.1 not this\r\n", "451 4.7.1 later\r\n"] {
        let (postfix, first) = (
            users.postfix().await,
            LineServer::smtp(&[(".\r", Act::Say(refusal))]).await,
        );
        let (alb, _log) = Gateway::default()
            .start(first.address(), postfix.mx())
            .await;
        let mut client = sender(&alb).await;
        send(&mut client, BOTH, MAIL, refusal.trim()).await;
        postfix
            .process()
            .wait_for("lost connection after DATA")
            .await;
        let there = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<eve@other.example>\r\n";
        send(
            &mut client,
            there,
            "Subject: second\r\n\r\n",
            "250 2.0.0 Ok: queued as",
        )
        .await;
        let arrived = only(postfix.delivered(1).await);
        assert!(arrived.contains("Subject: second"), "{arrived}");
    }
}

#[tokio::test]
async fn a_server_that_dies_before_the_last_dot_leaves_no_message_anywhere() {
    let users = Users::new().await;
    // When the message is to come, and in the middle of a large one.
    for rule in [
        ("DATA", LEAVE),
        ("leave", LEAVE),
        ("DATA", Act::Say("451 4.3.0 busy\r\n")),
    ] {
        let (one, two) = (users.postfix().await, LineServer::smtp(&[rule]).await);
        let (alb, log) = Gateway::default().start(one.mx(), two.address()).await;
        let mut client = sender(&alb).await;
        let filling = "0123456789abcdef\r\n".repeat(5 * (1 << 20) / 18);
        let message = format!("Subject: first\r\n\r\nleave\r\n{filling}");
        send(&mut client, BOTH, &message, "451 4.").await;
        one.process().wait_for("lost connection after DATA").await;
        let line = log.wait_for("\"type\":\"message\"").await;
        let lost = format!("\"replies\":[\"two {}: ", two.address());
        assert!(line.contains(&lost), "{line}");
        let alone = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<bob@gov.example>\r\n";
        send(
            &mut client,
            alone,
            "Subject: second\r\n\r\n",
            "250 2.0.0 Ok: queued as",
        )
        .await;
        let arrived = only(one.delivered(1).await);
        assert!(arrived.contains("Subject: second"), "{arrived}");
    }
}
