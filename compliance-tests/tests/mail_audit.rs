//! The audit log of mail: a line for each session and each message, with everything that is known.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::session_log::wait_for_lines;
use alb_compliance_tests::{Alb, Offer};
use serde_json::Value;

const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=";

/// The lines of the audit log that tell of this, when there are so many.
async fn lines(alb: &Alb, what: &str, count: usize) -> Vec<Value> {
    let path = alb.directory().join("mail.log");
    let pattern = format!("\"type\":\"{what}\"");
    let lines = wait_for_lines(&path, &pattern, count).await;
    let read = |line: &String| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
    };
    lines.iter().map(read).collect()
}

fn members(line: &Value, absent: &[&str]) {
    let all = [
        "ts",
        "session",
        "listener",
        "proto",
        "client_ip",
        "port",
        "via_proxy",
        "tls",
        "version",
        "suite",
        "sni",
        "starttls",
        "cert_subject",
        "cert_serial",
        "cert_verify",
        "mech",
        "user",
        "user_sent",
        "auth_source",
        "auth_result",
        "auth_ms",
        "pool",
        "backend",
        "backend_tls",
        "connect_ms",
        "bytes_in",
        "bytes_out",
        "duration_ms",
        "result",
        "close_side",
        "errors",
        "reason",
    ];
    for name in all {
        assert_eq!(
            line.get(name).is_none(),
            absent.contains(&name),
            "{name} in {line}"
        );
    }
}

#[tokio::test]
async fn a_session_tells_everything_but_what_proves_the_user() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", dovecot.imap());
    let alb = alb
        .start(&format!(
            "[log]\nmail = {{ file = \"mail.log\" }}\n\
             [[mail]]\nname = \"imap\"\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"dovecot\"\n\
             proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\n\
             [mail.tls]\nidentities = [\"gm\", \"tls\"]\nmode = \"starttls\"\nclient_auth = {{ mode = \"optional\", ca = [\"$pki/gm-ca.pem\"] }}\n\
             {}\n[upstream.dovecot]\npeers = [\"$backend\"]\ntls = {{ ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }}\nmail = {{ starttls = true }}\n",
            pki::IDENTITIES
        ))
        .await;
    let mut client = LineClient::connect(alb.address("imap")).await;
    client
        .send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 143\r\n")
        .await;
    client.until("* OK").await;
    client.ask("a STARTTLS", "a OK").await;
    client.shake(&Offer::tlcp(&pki).pair(&pki, "client")).await;
    client.ask("b NONSENSE", "b BAD").await;
    client.ask("c LOGIN alice \"wrong one\"", "c NO").await;
    client.ask("e LOGIN alice \"se cret\"", "e OK").await;
    client.ask("f LOGOUT", "f OK").await;
    client.rest().await;
    client.finish().await;
    let line = lines(&alb, "session", 1).await.remove(0);
    members(&line, &[]);
    for (name, expected) in [
        ("listener", "imap"),
        ("proto", "imap"),
        ("client_ip", "192.0.2.7"),
        ("tls", "tlcp"),
        ("version", "TLCPv1.1"),
        ("sni", "localhost"),
        ("cert_verify", "SUCCESS"),
        ("mech", "LOGIN"),
        ("user", "alice"),
        ("user_sent", "alice"),
        ("auth_source", "passthrough"),
        ("auth_result", "accepted"),
        ("pool", "dovecot"),
        ("result", "relayed"),
        ("reason", "closed"),
    ] {
        assert_eq!(line[name], expected, "{name} in {line}");
    }
    assert_eq!(line["port"], 4711, "{line}");
    assert_eq!(line["starttls"], true, "{line}");
    assert_eq!(line["errors"], 1, "{line}");
    assert!(
        line["backend_tls"]
            .as_str()
            .is_some_and(|tls| tls.starts_with("TLS")),
        "{line}"
    );
    assert!(
        line["bytes_in"].as_u64() >= Some(10) && line["bytes_out"].as_u64() > Some(10),
        "{line}"
    );
    let everything = alb.log().text() + &line.to_string();
    for secret in ["se cret", "wrong one", "c2UgY3JldA"] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
}

#[tokio::test]
async fn a_login_that_fails_is_told_with_the_name_that_was_sent() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", dovecot.pop3());
    let alb = alb
        .start(&format!(
            "[log]\nmail = {{ file = \"mail.log\" }}\n\
             [[mail]]\nprotocol = \"pop3\"\nlisten = [\"$pop\"]\nupstream = \"dovecot\"\n\
             tls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\n\
             {}\n[upstream.dovecot]\npeers = [\"$backend\"]\n",
            pki::IDENTITIES
        ))
        .await;
    let mut client = LineClient::secure(alb.address("pop"), &Offer::tls(&pki)).await;
    client.until("+OK").await;
    client.ask("USER \"mal\\ory\"", "+OK").await;
    client.ask("PASS guess", "-ERR").await;
    client.ask("QUIT", "+OK").await;
    client.rest().await;
    let line = lines(&alb, "session", 1).await.remove(0);
    members(
        &line,
        &[
            "via_proxy",
            "cert_subject",
            "cert_serial",
            "pool",
            "backend",
            "backend_tls",
            "connect_ms",
        ],
    );
    assert_eq!(line["user_sent"], "\"mal\\ory\"", "{line}");
    assert_eq!(
        (&line["auth_result"], &line["result"]),
        (&"rejected".into(), &"rejected".into()),
        "{line}"
    );
    assert_eq!(
        (&line["close_side"], &line["reason"]),
        (&"client".into(), &"quit".into()),
        "{line}"
    );
    assert_eq!(line["cert_verify"], "NONE", "{line}");
}

#[tokio::test]
async fn each_message_has_a_line_with_its_envelope_and_the_servers_reply() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("backend", postfix.submission());
    let alb = alb
        .start(&format!(
            "[log]\nmail = {{ file = \"mail.log\" }}\n\
             [[mail]]\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"postfix\"\n\
             tls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\n\
             {}\n[upstream.postfix]\npeers = [\"$backend\"]\nmail = {{ client_info = \"xclient\" }}\n",
            pki::IDENTITIES
        ))
        .await;
    let mut client = LineClient::secure(alb.address("smtp"), &Offer::tls(&pki)).await;
    client.until("220 ").await;
    client.ask("EHLO client.test", "250 ").await;
    client.ask(LOGIN, "235").await;
    client
        .send("MAIL FROM:<alice@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nRCPT TO:<nobody@elsewhere.invalid>\r\nDATA\r\n")
        .await;
    client.until("354").await;
    client
        .ask("Subject: hello\r\n\r\nhello\r\n.", "250 2.0.0")
        .await;
    client.ask("QUIT", "221").await;
    let session = lines(&alb, "session", 1).await.remove(0);
    assert_eq!(session["messages"], 1, "{session}");
    let message = lines(&alb, "message", 1).await.remove(0);
    assert_eq!(message["session"], session["session"]);
    assert_eq!(message["user"], "alice", "{message}");
    assert_eq!(message["mail_from"], "alice@gov.example", "{message}");
    assert_eq!(
        message["rcpt_count"].as_u64(),
        message["rcpt"].as_array().map(|list| list.len() as u64)
    );
    assert_eq!(message["rcpt"][0], "bob@gov.example", "{message}");
    assert!(message["size"].as_u64() >= Some(23), "{message}");
    let reply = message["queue_reply"].as_str().expect("a reply");
    assert!(reply.starts_with("250 2.0.0 Ok: queued as"), "{reply}");
}
