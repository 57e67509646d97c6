//! What becomes of messages for several servers when clients and servers leave, give up or refuse on the way.

mod fanout;

use alb_compliance_tests::address;
use alb_compliance_tests::origin::line_server::{Act, LineServer, Rule};
use alb_compliance_tests::{Alb, SessionLog};
use fanout::{BOTH, Gateway, MAIL, send, sender};
use nix::sys::signal::Signal;

const ALONE: &str = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<bob@gov.example>\r\n";

/// Two servers by script, of which the second has these rules first.
struct Place {
    one: LineServer,
    two: LineServer,
    alb: Alb,
    log: SessionLog,
}

impl Place {
    async fn new(rules: &[Rule]) -> Self {
        Self::with(rules, &Gateway::default()).await
    }

    async fn with(rules: &[Rule], gateway: &Gateway<'_>) -> Self {
        let (one, two) = (LineServer::smtp(&[]).await, LineServer::smtp(rules).await);
        let (alb, log) = gateway.start(one.address(), two.address()).await;
        Self { one, two, alb, log }
    }

    /// How often both have heard a line that begins so.
    fn heard(&self, start: &str) -> (usize, usize) {
        let count = |server: &LineServer| {
            let heard = server.heard().text();
            heard.lines().filter(|line| line.starts_with(start)).count()
        };
        (count(&self.one), count(&self.two))
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_a_message_sends_none() {
    let place = Place::new(&[]).await;
    let mut client = sender(&place.alb).await;
    client.send(format!("{BOTH}DATA\r\n")).await;
    client.until("354").await;
    client.send(MAIL).await;
    client.finish().await;
    place.one.deserted().await;
    place.two.deserted().await;
    assert_eq!(place.heard("RCPT"), (1, 1));
    assert_eq!(place.heard("DATA"), (0, 0));
}

#[tokio::test]
async fn a_message_that_is_given_up_is_given_up_at_all_servers() {
    for command in ["RSET", "EHLO again.test", "QUIT"] {
        let place = Place::new(&[]).await;
        let mut client = sender(&place.alb).await;
        client.send(BOTH).await;
        client.until("250 2.1.5 recipient").await;
        client.until("250 2.1.5 recipient").await;
        client.ask(command, "2").await;
        place.two.deserted().await;
        if command == "QUIT" {
            assert_eq!(client.rest().await, "");
            continue;
        }
        // The next is for one server, and goes on as it comes.
        send(&mut client, ALONE, MAIL, "250 2.0.0 queued").await;
        assert_eq!(place.heard("DATA"), (1, 0));
        send(&mut client, BOTH, MAIL, "250 2.0.0 Ok, taken by 2 servers").await;
        assert_eq!(place.heard("DATA"), (2, 1));
    }
}

#[tokio::test]
async fn a_recipient_whose_servers_cannot_be_reached_is_put_off() {
    let (one, nobody) = (LineServer::smtp(&[]).await, address::nobody());
    let (alb, _log) = Gateway::default()
        .start(one.address(), nobody.address())
        .await;
    let mut client = sender(&alb).await;
    client.send(BOTH).await;
    client.until("250 2.1.5 recipient").await;
    client.until("451 4.4.1").await;
    client.ask("DATA", "354").await;
    client.send(MAIL).await;
    client.ask(".", "250 2.0.0 queued").await;
}

#[tokio::test]
async fn what_a_further_server_says_is_what_the_client_hears() {
    for (rule, answer) in [
        (
            ("MAIL", Act::Say("553 5.1.8 no such sender\r\n")),
            "553 5.1.8 no such sender",
        ),
        (
            ("RCPT", Act::Say("452 4.2.2 mailbox full\r\n")),
            "452 4.2.2 mailbox full",
        ),
        (("MAIL", Act::Last("421 4.3.2 going down\r\n")), "451 4.4.2"),
        (("RCPT", Act::Last("421 4.3.2 going down\r\n")), "451 4.4.2"),
    ] {
        let place = Place::new(&[rule]).await;
        let mut client = sender(&place.alb).await;
        client.send(BOTH).await;
        client.until("250 2.1.5 recipient").await;
        client.until(answer).await;
        client.ask("RCPT TO:<dave@gov.example>", "250 2.1.5").await;
        client.ask("DATA", "354").await;
        client.send(MAIL).await;
        client.ask(".", "250 2.0.0 queued").await;
    }
}

#[tokio::test]
async fn a_server_that_leaves_with_its_recipients_puts_the_message_off() {
    let leaves: Rule = ("RCPT TO:<dave", Act::Last("421 4.3.2 going down\r\n"));
    let place = Place::new(&[leaves]).await;
    let mut client = sender(&place.alb).await;
    client.send(BOTH).await;
    client.until("250 2.1.5 recipient").await;
    client.until("250 2.1.5 recipient").await;
    client
        .ask("RCPT TO:<dave@other.example>", "451 4.4.2")
        .await;
    client.ask("DATA", "451 4.4.2").await;
    client.ask("BDAT 4 LAST\r\nhi", "451 4.4.2").await;
    assert_eq!(place.heard("DATA"), (0, 0));
    client.ask("RSET", "250").await;
    send(&mut client, BOTH, MAIL, "250 2.0.0 Ok, taken by 2 servers").await;
}

#[tokio::test]
async fn the_sessions_own_server_leaves_and_nobody_gets_the_message() {
    let there = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<eve@other.example>\r\n";
    for act in [
        Act::Last(""),
        Act::Last("421 4.3.2 going down\r\n"),
        // What is no answer to DATA must not become one to the message.
        Act::Say("250 2.0.0 well\r\n"),
    ] {
        let place = Place::new(&[]).await;
        let leaves = LineServer::smtp(&[("DATA", act)]).await;
        let (alb, _log) = Gateway::default()
            .start(leaves.address(), place.two.address())
            .await;
        let mut client = sender(&alb).await;
        send(&mut client, BOTH, MAIL, "451 4.4.2").await;
        send(
            &mut client,
            there,
            "Subject: second\r\n\r\n",
            "250 2.0.0 queued",
        )
        .await;
        let heard = place.two.heard().text();
        assert!(
            heard.contains("Subject: second") && !heard.contains("Subject: hello"),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn chunks_for_several_servers_go_on_by_data() {
    let place = Place::new(&[]).await;
    let mut client = sender(&place.alb).await;
    let offered = client.ask("EHLO sender.test", "250 ").await;
    assert!(
        offered.contains("CHUNKING") && !offered.contains("BINARYMIME"),
        "{offered}"
    );
    client.send(format!("{BOTH}BDAT 9\r\nSubject: ")).await;
    client.until("250 2.0.0 9 bytes").await;
    client
        .ask("RCPT TO:<x@other.example>", "503 5.5.1 Chunks")
        .await;
    client.ask("DATA", "503 5.5.1 Chunks").await;
    client.send("BDAT 8 LAST\r\nx\r\n\r\n.hi").await;
    client.until("250 2.0.0 Ok, taken by 2 servers").await;
    assert_eq!((place.heard("..hi"), place.heard("BDAT")), ((1, 1), (0, 0)));
    client
        .send(format!("{BOTH}BDAT 12 LAST\r\nSubject: x\n\n"))
        .await;
    client.until("550 5.6.0 Lines must end with CRLF").await;
    // Of one server they go on as they are, and nobody else may join.
    client
        .send(format!("{ALONE}BDAT 12\r\nSubject: x\r\n"))
        .await;
    client.until("250 2.0.0 chunk").await;
    client
        .ask("RCPT TO:<x@other.example>", "503 5.5.1 Chunks")
        .await;
    client.ask("BDAT 2 LAST\r\n", "250").await;
    assert_eq!(place.heard("BDAT"), (2, 0));
}

#[tokio::test]
async fn what_one_upstream_does_not_offer_is_not_promised() {
    let less: Rule = (
        "EHLO",
        Act::Say("250-server.test\r\n250-SIZE 1000\r\n250 PIPELINING\r\n"),
    );
    let place = Place::new(&[less]).await;
    let mut client = sender(&place.alb).await;
    for _ in 0..2 {
        let offered = client.ask("EHLO sender.test", "250 ").await;
        assert_eq!(
            offered,
            "250-mail.test\r\n250-SIZE 1000\r\n250 PIPELINING\r\n"
        );
        client
            .ask("MAIL FROM:<x@sender.test> SMTPUTF8", "555 5.5.4")
            .await;
        send(&mut client, BOTH, MAIL, "250 2.0.0 Ok, taken by 2 servers").await;
    }
}

#[tokio::test]
async fn what_a_server_cannot_keep_is_not_lost_on_the_way() {
    let less: Rule = ("EHLO", Act::Say("250-server.test\r\n250 SIZE 0\r\n"));
    let gateway = Gateway {
        keys: "capabilities = [\"SIZE 0\", \"DSN\"]",
        ..Gateway::default()
    };
    let place = Place::with(&[less], &gateway).await;
    let mut client = sender(&place.alb).await;
    client.send(BOTH).await;
    client.until("250 2.1.5 recipient").await;
    client.until("451 4.4.1").await;
    client.ask("DATA", "354").await;
    client.send(MAIL).await;
    client.ask(".", "250 2.0.0 queued").await;
    assert_eq!(place.heard("MAIL"), (1, 0));
}

#[tokio::test]
async fn a_client_cannot_have_connections_opened_without_end() {
    let gateway = Gateway {
        policy: "max_messages = 1",
        ..Gateway::default()
    };
    let place = Place::with(&[], &gateway).await;
    let mut client = sender(&place.alb).await;
    let there = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<eve@other.example>\r\nRSET\r\n";
    for _ in 0..5 {
        client.send(format!("{ALONE}RSET\r\n{there}")).await;
        for _ in 0..2 {
            client.until("250 2.1.5").await;
            client.until("250 2.0.0 reset").await;
        }
    }
    client.send(ALONE).await;
    client
        .until("450 4.7.1 Too many messages in one session")
        .await;
    assert_eq!(place.heard("RCPT"), (5, 5));
}

#[tokio::test]
async fn a_daemon_that_leaves_waits_for_the_message_that_comes() {
    let place = Place::new(&[]).await;
    let mut client = sender(&place.alb).await;
    client.send(format!("{BOTH}DATA\r\n")).await;
    client.until("354").await;
    place.alb.signal(Signal::SIGQUIT);
    client.send(MAIL).await;
    client.ask(".", "250 2.0.0 Ok, taken by 2 servers").await;
    client.until("421 4.3.2").await;
    assert!(place.alb.wait().await.success());
}

#[tokio::test]
async fn a_message_for_several_servers_is_judged_and_held_once() {
    let held = LineServer::smtp(&[]).await;
    let tables = format!(
        "[mail_policy.office]\ndeny_extensions = [\"exe\"]\nencrypted = \"quarantine\"\nquarantine = \"held\"\n\
         [upstream.held]\npeers = [\"{}\"]\n",
        held.address()
    );
    let gateway = Gateway {
        policy: "policy = \"office\"",
        tables: &tables,
        ..Gateway::default()
    };
    let place = Place::with(&[], &gateway).await;
    let mut client = sender(&place.alb).await;
    let evil = "Content-Disposition: attachment; filename=evil.exe\r\n\r\nx\r\n";
    let secret = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n";
    send(
        &mut client,
        BOTH,
        evil,
        "550 5.7.1 attachments ending in .exe",
    )
    .await;
    send(&mut client, BOTH, secret, "250 2.0.0 held").await;
    assert_eq!(place.heard("DATA"), (0, 0));
    let text = held.heard().text();
    assert_eq!(text.matches("DATA").count(), 1, "{text}");
    for to in ["RCPT TO:<bob@gov.example>", "RCPT TO:<eve@other.example>"] {
        assert!(text.contains(to), "{text}");
    }
    send(&mut client, BOTH, MAIL, "250 2.0.0 Ok, taken by 2 servers").await;
    assert_eq!(place.heard("Received: from sender.test"), (1, 1));
    let line = place.log.wait_for("\"action\":\"pass\"").await;
    assert!(line.contains("\"replies\":[\"one "), "{line}");
}

#[tokio::test]
async fn without_fan_out_the_recipients_of_others_come_later() {
    let gateway = Gateway {
        keys: "max_errors = 2",
        defer: true,
        ..Gateway::default()
    };
    let place = Place::with(&[], &gateway).await;
    let mut client = sender(&place.alb).await;
    client.send(ALONE).await;
    client.until("250 2.1.5").await;
    // That is no mistake of the sender's, however often.
    for _ in 0..5 {
        client.ask("RCPT TO:<eve@other.example>", "452 4.5.3").await;
    }
    client.ask("DATA", "354").await;
    client.send(MAIL).await;
    client.ask(".", "250 2.0.0 queued").await;
    let there = "MAIL FROM:<carol@sender.test>\r\nRCPT TO:<eve@other.example>\r\n";
    send(&mut client, there, MAIL, "250 2.0.0 queued").await;
    assert_eq!(place.heard("DATA"), (1, 1));
    assert_eq!(place.heard("QUIT"), (2, 1));
}
