//! What becomes of messages under a policy when clients and servers leave or refuse in the middle, when there is no room,
//! and when they are attacks.

mod policy;

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::line_server::{Act, LEAVE, LineServer, Rule};
use alb_compliance_tests::pki::{self, Pki};
use nix::sys::signal::Signal;
use policy::{ENVELOPE, PLAIN, RULES, SECRET, alb, alice, send};

const EVIL: &str =
    "From: alice@gov.example\r\nContent-Disposition: attachment; filename=evil.exe\r\n\r\nx\r\n";

/// A server that takes logins, with these rules first, and a policy that keeps.
struct Scripted {
    pki: Pki,
    server: LineServer,
    held: LineServer,
    alb: Alb,
}

impl Scripted {
    async fn new(server: &[Rule], held: &[Rule], policy: &str) -> Self {
        Self::with(server, held, ("40MiB", "1m"), policy).await
    }

    async fn with(server: &[Rule], held: &[Rule], bounds: (&str, &str), policy: &str) -> Self {
        let pki = Pki::new();
        let (server, held) = (LineServer::smtp(server).await, LineServer::smtp(held).await);
        let (to, aside) = (server.address().to_string(), held.address().to_string());
        let alb = alb(&pki, &to, &aside, bounds, &format!("{RULES}{policy}")).await;
        Self {
            pki,
            server,
            held,
            alb,
        }
    }

    async fn alice(&self) -> LineClient {
        alice(&self.pki, &self.alb).await
    }

    fn server_heard(&self, line: &str) -> bool {
        self.server.heard().text().contains(line)
    }
}

#[tokio::test]
async fn a_server_hears_nothing_of_what_does_not_pass() {
    let place = Scripted::new(&[], &[], "").await;
    let mut client = place.alice().await;
    send(&mut client, EVIL, "550 5.7.1 ").await;
    send(&mut client, SECRET, "250 2.0.0 held [").await;
    assert!(!place.server_heard("DATA") && place.server_heard("RSET"));
    let held = place.held.heard().text();
    for line in [
        "MAIL FROM:<alice@gov.example> BODY=8BITMIME",
        "RCPT TO:<bob@gov.example>",
        "RCPT TO:<carol@gov.example>",
        "smime-type",
    ] {
        assert!(held.contains(line), "{line}: {held}");
    }
    send(&mut client, PLAIN, "250 2.0.0 queued").await;
    assert!(place.server_heard("Subject: hello") && !place.server_heard("evil.exe"));
}

#[tokio::test]
async fn chunks_are_kept_like_the_rest() {
    let place = Scripted::new(&[], &[], "").await;
    let mut client = place.alice().await;
    client
        .send(format!("{ENVELOPE}BDAT 9\r\nSubject: BDAT 8 LAST\r\n"))
        .await;
    client.until("250 2.0.0 9 bytes").await;
    client.send("x\r\n\r\n.hi").await;
    client.until("250 2.0.0 queued").await;
    let heard = place.server.heard().text();
    assert!(
        heard.contains("Subject: x") && heard.contains("..hi") && !heard.contains("BDAT"),
        "{heard}"
    );
    client
        .send(format!(
            "{ENVELOPE}BDAT {}\r\n{EVIL}RCPT TO:<x@y>\r\nBDAT 0 LAST\r\n",
            EVIL.len()
        ))
        .await;
    client.until("503 5.5.1 Chunks").await;
    client.until("550 5.7.1 ").await;
    client
        .send(format!(
            "{ENVELOPE}BDAT {}\r\n{EVIL}RSET\r\nBDAT 0 LAST\r\n",
            EVIL.len()
        ))
        .await;
    client.until("250 2.0.0 reset").await;
    client.until("503 5.5.1 MAIL").await;
    client
        .send(format!("{ENVELOPE}BDAT 15 LAST\r\nSubject: x\n\n.\r\n"))
        .await;
    client.until("550 5.6.0 Lines must end with CRLF").await;
    client.ask("NOOP", "250").await;
}

#[tokio::test]
async fn a_message_without_an_envelope_is_not_taken() {
    let none: Rule = ("RCPT TO:<no", Act::Say("550 5.1.1 nobody\r\n"));
    let place = Scripted::new(&[none], &[], "").await;
    let mut client = place.alice().await;
    client.ask("DATA", "503 5.5.1").await;
    let vain = "MAIL FROM:<alice@gov.example>\r\nRCPT TO:<nobody@gov.example>\r\nDATA\r\n";
    client.send(vain).await;
    client.until("550 5.1.1").await;
    client.until("554 5.5.1").await;
    client.ask("RSET", "250").await;
    let two = "MAIL FROM:<alice@gov.example>\r\nRCPT TO:<nobody@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nDATA\r\n";
    client.send(two).await;
    client.until("354").await;
    client.send(SECRET).await;
    client.ask(".", "250 2.0.0 held").await;
    let held = place.held.heard().text();
    assert!(
        held.contains("RCPT TO:<bob") && !held.contains("RCPT TO:<nobody"),
        "{held}"
    );
}

#[tokio::test]
async fn a_body_sent_ahead_of_a_refused_data_is_never_read_as_commands() {
    let place = Scripted::new(&[], &[], "").await;
    let mut client = place.alice().await;
    client
        .send("MAIL FROM:<alice@gov.example>\r\nDATA\r\nRCPT TO:<bob@gov.example>\r\n.\r\n")
        .await;
    client.until("554 5.5.1").await;
    client
        .until("503 5.5.0 Improper use of SMTP command pipelining")
        .await;
    client.rest().await;
    assert!(!place.server.heard().text().contains("RCPT"));
}

#[tokio::test]
async fn bombs_are_refused_and_the_session_goes_on() {
    let place = Scripted::new(&[], &[], "").await;
    let mut client = place.alice().await;
    let nested: String = (0..60)
        .map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"))
        .collect();
    for (bomb, reply) in [
        (nested, "550 5.6.0 Parts too deep"),
        (
            format!(
                "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
                "--b\r\n\r\n".repeat(100_000)
            ),
            "550 5.6.0 Too many parts",
        ),
        (
            "X: y\r\n".repeat(500_000),
            "550 5.6.0 Too many header fields",
        ),
        ("Received: by x\r\n".repeat(51), "554 5.4.6 Too many hops"),
    ] {
        send(&mut client, &bomb, reply).await;
    }
    send(&mut client, PLAIN, "250 2.0.0 queued").await;
}

#[tokio::test]
async fn a_message_without_room_is_put_off() {
    let bounds = "in_memory = \"4KiB\"\ndisk = \"1MiB\"\nmemory = \"1MiB\"";
    let place = Scripted::with(&[], &[], ("1MiB", "1m"), bounds).await;
    let content = "0123456789abcdef\r\n".repeat(40_000);
    let (mut one, mut other) = (place.alice().await, place.alice().await);
    let first = format!("Subject: one\r\n\r\n{content}");
    // A chunk is answered when it has been kept.
    one.send(format!("{ENVELOPE}BDAT {}\r\n{first}", first.len()))
        .await;
    one.until("250 2.0.0 ").await;
    let second = format!("Subject: two\r\n\r\n{content}");
    send(&mut other, &second, "452 4.3.1").await;
    one.ask("BDAT 0 LAST", "250 2.0.0 queued").await;
    send(&mut other, PLAIN, "250 2.0.0 queued").await;
    assert!(!place.server_heard("Subject: two"));
}

#[tokio::test]
async fn what_cannot_be_held_is_put_off() {
    for rule in [
        ("RCPT TO:<carol", Act::Say("550 5.1.1 no\r\n")),
        (".\r", Act::Say("451 4.3.0 full\r\n")),
        ("DATA", LEAVE),
        ("EHLO", Act::Last("421 4.3.2 down\r\n")),
    ] {
        let place = Scripted::new(&[], &[rule], "").await;
        let mut client = place.alice().await;
        send(&mut client, SECRET, "451 4.7.1 ").await;
        assert!(!place.server_heard("smime-type"), "{rule:?}");
        send(&mut client, PLAIN, "250 2.0.0 queued").await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_or_leaves_is_heard_of() {
    let refuses = Scripted::new(&[("DATA", Act::Say("451 4.3.0 busy\r\n"))], &[], "").await;
    let mut client = refuses.alice().await;
    send(&mut client, PLAIN, "451 4.3.0 busy").await;
    client.ask("NOOP", "250").await;
    let full = Scripted::new(&[(".\r", Act::Say("552 5.3.4 full\r\n"))], &[], "").await;
    let mut client = full.alice().await;
    send(&mut client, PLAIN, "552 5.3.4 full").await;
    // What is no answer to DATA must not become one to the message.
    let odd = ("DATA", Act::Say("250 2.0.0 well\r\n"));
    for rule in [("DATA", LEAVE), odd, (".\r", LEAVE), ("RSET", LEAVE)] {
        let gone = Scripted::new(&[rule], &[], "").await;
        let mut client = gone.alice().await;
        if rule.0 == "RSET" {
            // What the client is told of its message stands all the same.
            send(&mut client, EVIL, "550 5.7.1").await;
        } else {
            client.send(format!("{ENVELOPE}DATA\r\n")).await;
            client.until("354").await;
            client.send(format!("{PLAIN}.\r\n")).await;
        }
        client.until("421 4.4.2 Lost connection").await;
        assert_eq!(client.rest().await, "", "{rule:?}");
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_a_message_sends_none() {
    let place = Scripted::with(&[], &[], ("40MiB", "3s"), "").await;
    let mut client = place.alice().await;
    client.send(format!("{ENVELOPE}DATA\r\n")).await;
    client.until("354").await;
    client.send(PLAIN).await;
    client.finish().await;
    place.server.deserted().await;
    let mut slow = place.alice().await;
    slow.send(format!("{ENVELOPE}DATA\r\n")).await;
    slow.until("354").await;
    slow.until("421 4.4.2 Timeout").await;
    place.server.deserted().await;
    assert!(!place.server_heard("DATA"));
}

#[tokio::test]
async fn a_daemon_that_leaves_waits_for_the_message_that_comes() {
    let place = Scripted::new(&[], &[], "").await;
    let mut client = place.alice().await;
    client.send(format!("{ENVELOPE}DATA\r\n")).await;
    client.until("354").await;
    place.alb.signal(Signal::SIGQUIT);
    client.send(PLAIN).await;
    client.ask(".", "250 2.0.0 queued").await;
    client.until("421 4.3.2").await;
    assert!(place.alb.wait().await.success());
}

#[tokio::test]
async fn large_messages_take_constant_memory() {
    let place = Scripted::new(&[], &[], "max_attachment = \"35MiB\"").await;
    let mut client = place.alice().await;
    send(&mut client, PLAIN, "250 2.0.0 queued").await;
    let before = place.alb.resident_memory();
    let line = format!("{}\r\n", "QUJD".repeat(19));
    let large = format!(
        "Content-Type: application/octet-stream; name=a.dat\r\nContent-Transfer-Encoding: base64\r\n\r\n{}",
        line.repeat(25 * (1 << 20) / line.len())
    );
    for _ in 0..2 {
        send(&mut client, &large, "250 2.0.0 queued").await;
    }
    let grown = place.alb.resident_memory().saturating_sub(before);
    // Threads that write the file have stacks and heaps of their own; the messages have 50 MiB.
    assert!(grown < 12 << 20, "{grown} bytes more");
}

#[tokio::test]
async fn mail_of_other_servers_is_judged_too() {
    let pki = Pki::new();
    let server = LineServer::smtp(&[]).await;
    let config = format!(
        "[[mail]]\nname = \"mx\"\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"server\"\nhostname = \"mail.test\"\n\
         [mail.smtp]\npolicy = \"office\"\nmx = {{ relay_domains = [\"gov.example\"] }}\n{}\n\
         [mail_policy.office]\ndeny_extensions = [\"exe\"]\nhide_client_ip = true\n[upstream.server]\npeers = [\"{}\"]\n",
        pki::IDENTITIES,
        server.address()
    );
    let alb = Alb::new().place("pki", &pki).start(&config).await;
    let mut client = LineClient::connect(alb.address("smtp")).await;
    client.until("220 ").await;
    let offered = client.ask("EHLO other.test", "250 ").await;
    assert!(
        offered.contains("CHUNKING") && !offered.contains("BINARYMIME"),
        "{offered}"
    );
    for (message, reply) in [(EVIL, "550 5.7.1"), (PLAIN, "250 2.0.0 queued")] {
        send(&mut client, message, reply).await;
    }
    let heard = server.heard().text();
    assert!(
        heard.contains("Received: by mail.test with ESMTP\r\n") && !heard.contains("evil"),
        "{heard}"
    );
}
