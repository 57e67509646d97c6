//! What clients are told before they have logged in, word for word: every refusal, every limit, in each protocol.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::{Listener, plain};
use alb_compliance_tests::origin::LineServer;
use alb_compliance_tests::origin::line_server::Act;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, address};
use nix::sys::signal::Signal;

/// What a client sends in one piece, all of what it is told, and whether the connection ends then.
#[derive(Default)]
struct Turn {
    sent: String,
    answer: String,
    end: bool,
}

/// A conversation with a listener after its greeting.
struct Conversation<'t> {
    listener: &'t str,
    turns: Vec<Turn>,
}

/// Reads conversations: `at LISTENER` begins one; `C: ` and `S: ` are lines of the client and of the gateway, and `end` is
/// the end of the connection. In a client's line `\0`, `\r`, `\n` and `%(COUNT TEXT)`, a repetition, are what they are not.
fn read(text: &str) -> Vec<Conversation<'_>> {
    let mut conversations: Vec<Conversation<'_>> = Vec::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(listener) = line.strip_prefix("at ") {
            let turns = Vec::new();
            conversations.push(Conversation { listener, turns });
            continue;
        }
        let turns = &mut conversations.last_mut().expect("a listener first").turns;
        let answered = turns.last().is_none_or(|turn| !turn.answer.is_empty());
        let sent = line.strip_prefix("C: ").map(unescaped);
        if turns.is_empty() || (sent.is_some() && answered) {
            turns.push(Turn::default());
        }
        let turn = turns.last_mut().expect("it was just pushed");
        match (sent, line.strip_prefix("S: ")) {
            (Some(sent), _) => turn.sent += &format!("{sent}\r\n"),
            (_, Some(answer)) => turn.answer += &format!("{answer}\r\n"),
            _ => {
                assert_eq!(line, "end");
                turn.end = true;
            }
        }
    }
    conversations
}

fn unescaped(text: &str) -> String {
    let text = text
        .replace("\\0", "\0")
        .replace("\\r", "\r")
        .replace("\\n", "\n");
    let Some((before, rest)) = text.split_once("%(") else {
        return text;
    };
    let (repeated, after) = rest.rsplit_once(')').expect("its end");
    let (count, what) = repeated.split_once(' ').expect("what is repeated");
    format!(
        "{before}{}{after}",
        what.repeat(count.parse().expect("a number"))
    )
}

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
        "{}[upstream.nobody]\npeers = [\"$nobody\"]\n",
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

impl Conversation<'_> {
    /// Says everything, and compares every answer.
    async fn hold(&self, alb: &Alb) {
        let mut client = LineClient::connect(alb.address(self.listener)).await;
        if self.listener != "early" {
            client.until(greeting(self.listener)).await;
        }
        for Turn { sent, answer, end } in &self.turns {
            client.send(sent).await;
            let seen = match end {
                true => client.rest().await,
                false => lines(&mut client, answer.lines().count()).await,
            };
            let sent: String = sent.chars().take(80).collect();
            assert_eq!(seen, *answer, "{}: {sent:?}", self.listener);
        }
    }
}

/// So many lines.
async fn lines(client: &mut LineClient, count: usize) -> String {
    let mut seen = String::new();
    for _ in 0..count {
        seen += &client.until("").await;
    }
    seen
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
    for conversation in read(include_str!("mail_replies/smtp.txt")) {
        conversation.hold(&alb).await;
    }
}

#[tokio::test]
async fn imap_clients_are_told_word_for_word() {
    let pki = Pki::new();
    let (_servers, alb) = start(&pki).await;
    for conversation in read(include_str!("mail_replies/imap.txt")) {
        conversation.hold(&alb).await;
    }
}

#[tokio::test]
async fn pop3_clients_are_told_word_for_word() {
    let pki = Pki::new();
    let (servers, alb) = start(&pki).await;
    for conversation in read(include_str!("mail_replies/pop3.txt")) {
        conversation.hold(&alb).await;
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
