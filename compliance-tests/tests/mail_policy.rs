//! What messages may hold: each verdict in front of a real Postfix, with messages as Python's email package writes them.

mod policy;

use alb_compliance_tests::origin::line_server::LineServer;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::session_log::wait_for_lines;
use alb_compliance_tests::{Alb, tools};
use policy::{PLAIN, RULES, SECRET, alb, alice, send};

/// A message that Python makes: statements about `m`, an `EmailMessage`.
async fn written(statements: &str) -> String {
    let script = format!(
        "import sys\nfrom email.message import EmailMessage\nfrom email.policy import SMTP\nm = EmailMessage()\n\
         m['From'] = 'alice@gov.example'\nm['To'] = 'bob@gov.example'\nm['Subject'] = '报告'\nm['Date'] = 'Sat, 21 Nov 2026 08:33:20 +0000'\n\
         m.set_content('text')\n{statements}\nsys.stdout.buffer.write(m.as_bytes(policy=SMTP))\n"
    );
    let output = tools::run("python3", &["-c", &script]).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("a message in ASCII")
}

/// The messages of a Postfix, when there are so many.
async fn delivered(postfix: &Postfix, count: usize) -> Vec<String> {
    let messages = postfix.delivered(count).await.into_iter();
    messages
        .map(|m| String::from_utf8_lossy(&m).into_owned())
        .collect()
}

#[tokio::test]
async fn what_passes_is_what_was_sent_and_one_field() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let server = postfix.submission().to_string();
    let alb = alb(&pki, &server, &server, ("40MiB", "1m"), RULES).await;
    let mut client = alice(&pki, &alb).await;
    let message = written("m.add_attachment(b'%PDF-1.7 x', maintype='application', subtype='pdf', filename='报告.pdf')").await;
    let message = format!("X-ALB-Held: no\r\nDKIM-Signature: v=1; b=x\r\n{message}.. dots\r\n");
    let stuffed = message.replace("\r\n..", "\r\n...");
    send(&mut client, &stuffed, "250 2.0.0").await;
    let arrived = delivered(&postfix, 2).await.remove(0);
    let ours = "Received: from client.test ([127.0.0.1])\n\tby mail.test with ESMTPSA (TLCP";
    let start = arrived.find(ours).expect("our field");
    let kept = arrived[start..].contains("\nDKIM-Signature: v=1; b=x\nFrom: alice");
    assert!(kept && !arrived.contains("X-ALB"), "{arrived}");
    let body = |message: &str| message.split_once("\n\n").expect("a body").1.to_owned();
    assert_eq!(body(&arrived), body(&message.replace("\r\n", "\n")));
}

#[tokio::test]
async fn what_does_not_pass_is_refused_or_held_and_told_of() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let held = Postfix::start(&pki, &dovecot).await;
    let server = LineServer::smtp(&[]).await;
    let policy = format!(
        "{RULES}from = {{ domain = \"gov.example\" }}\n\
         alert = {{ to = [\"sec@gov.example\"], from = \"gw@gov.example\", upstream = \"held\", interval = \"1s\" }}"
    );
    let (to, aside) = (server.address().to_string(), held.mx().to_string());
    let alb = alb(&pki, &to, &aside, ("40MiB", "1m"), &policy).await;
    let mut client = alice(&pki, &alb).await;
    for name in [
        "evil.exe",
        "报告.pdf.EXE",
        "报告\u{202e}fdp.exe",
        "evil.exe.",
    ] {
        let denied = written(&attached(name, "b'x'")).await;
        let reply = "550 5.7.1 attachments ending in .exe are not allowed [";
        send(&mut client, &denied, reply).await;
    }
    let renamed = written(&attached("a.pdf", "b'MZ' + bytes(90)")).await;
    send(&mut client, &renamed, "550 5.7.1 content of the kind .exe").await;
    let foreign = PLAIN.replace("alice", "bob");
    send(
        &mut client,
        &foreign,
        "550 5.7.1 the author is not the user",
    )
    .await;
    let reply = send(&mut client, SECRET, "250 2.0.0 held [").await;
    client.ask("QUIT", "221").await;
    assert!(!server.heard().text().contains("DATA"));
    let id = reply.trim().rsplit_once(' ').expect("an id").1;
    let all = held_with_alerts(&held).await;
    check_held(&all, id);
    check_told(&all);
    let name = format!("\"id\":\"{}\"", id.trim_matches(['[', ']']));
    let line = audited(&alb, &name).await;
    for part in [
        "\"action\":\"quarantine\"",
        "\"policy\":\"office\"",
        "\"rcpt_count\":2",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// The line of the audit log with this in it, when it is there.
async fn audited(alb: &Alb, part: &str) -> String {
    let log = alb.directory().join("mail.log");
    wait_for_lines(&log, part, 1).await.remove(0)
}

/// Statements that attach something.
fn attached(name: &str, content: &str) -> String {
    format!(
        "m.add_attachment({content}, maintype='application', subtype='octet-stream', filename='{name}')"
    )
}

/// One copy for each recipient, with the envelope it came with.
fn check_held(all: &[String], id: &str) {
    let copies: Vec<_> = all.iter().filter(|m| m.contains("smime-type")).collect();
    let why = format!("X-ALB-Held: office; the message is encrypted\n\t{id}\n");
    for copy in &copies {
        assert!(
            copy.contains(&why) && copy.contains("Return-Path: <alice@gov.example>"),
            "{copy}"
        );
    }
    for recipient in ["bob", "carol"] {
        let to = format!("Delivered-To: {recipient}@gov.example");
        assert!(copies.iter().any(|copy| copy.contains(&to)), "{to}");
    }
}

/// Every message that did not pass is in a mail, the first in one of its own.
fn check_told(all: &[String]) {
    let told = all.iter().filter(|m| m.contains("To: sec@gov.example"));
    let told: String = told.cloned().collect();
    for part in [
        "Subject: [alb] deny: message of alice@gov.example",
        ".exe are not allowed",
        "the author is not",
        "250 2.0.0 held",
        "user alice",
        "carol@gov.example",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

/// Two copies of one message, and mails that tell of all.
async fn held_with_alerts(held: &Postfix) -> Vec<String> {
    for count in 4.. {
        let all = delivered(held, count).await;
        if all
            .iter()
            .any(|m| m.contains("To: sec@gov.example") && m.contains("250 2.0.0 held"))
        {
            return all;
        }
    }
    unreachable!("the loop ends only with a mail")
}
