//! Active checks of mail servers: what they find out is what clients are promised, and how deep they look.

use std::time::{Duration, Instant};

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::line_server::{Act, LineServer};
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::process::Lines;
use alb_compliance_tests::stopwatch::within;

const OFTEN: &str = "interval = \"100ms\", timeout = \"5s\"";

/// A listener `$PROTOCOL` before `$server_PROTOCOL`, which is checked.
fn checked(protocol: &str, more: &str) -> String {
    format!(
        "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{protocol}\"\nplaintext_auth = true\n\
         mechanisms = [\"plain\", \"scram-sha-256\"]\n\
         [upstream.{protocol}]\npeers = [\"$server_{protocol}\"]\n\
         health = {{ kind = \"{protocol}\", {OFTEN}{more} }}\n"
    )
}

/// Waits until the log has so many more lines with this.
async fn more(log: &Lines, count: usize, pattern: &str) {
    let so_far = log.text().matches(pattern).count();
    let what = format!("{count} more of {pattern:?}");
    within(&what, log.wait_for_many(so_far + count, pattern)).await;
}

/// What a new client is offered before it logs in.
async fn offered(alb: &Alb, protocol: &str) -> String {
    let mut client = LineClient::connect(alb.address(protocol)).await;
    match protocol {
        "imap" => client.until("* OK").await,
        "pop3" => {
            client.until("+OK").await;
            client.ask("CAPA", ".").await
        }
        _ => {
            client.until("220").await;
            client.ask("EHLO client.test", "250 ").await
        }
    }
}

#[tokio::test]
async fn what_changes_at_a_server_is_offered_to_the_next_client() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let config = ["imap", "pop3", "smtp"].map(|protocol| checked(protocol, ""));
    let alb = Alb::new()
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .place("server_smtp", postfix.proxied())
        .start(&(config.concat() + "proxy_protocol = \"v1\"\n"))
        .await;
    for (protocol, word) in [
        ("imap", " IDLE"),
        ("pop3", "SCRAM-SHA-256"),
        ("smtp", "DSN"),
    ] {
        let seen = offered(&alb, protocol).await;
        assert!(seen.contains(word), "{protocol}: {seen}");
    }
    dovecot.amend("auth_mechanisms = plain login\nprotocol imap {\nimap_capability = IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE LITERAL+\n}");
    postfix.amend("smtpd_discard_ehlo_keywords = dsn").await;
    dovecot.process().wait_for("SIGHUP received").await;
    // Those that were under way may still say what was.
    let log = dovecot.process().output();
    more(log, 4, "imap-login: Info: Disconnected").await;
    more(log, 4, "pop3-login: Info: Disconnected").await;
    more(postfix.process().output(), 4, "quit=1").await;
    for (protocol, word, stays) in [
        ("imap", " IDLE", "ENABLE"),
        ("pop3", "SCRAM-SHA-256", "PLAIN"),
        ("smtp", "DSN", "8BITMIME"),
    ] {
        let seen = offered(&alb, protocol).await;
        assert!(
            !seen.contains(word) && seen.contains(stays),
            "{protocol}: {seen}"
        );
    }
}

#[tokio::test]
async fn a_promise_is_kept_by_the_servers_of_every_pool_that_can_be_reached() {
    let greets =
        |words: &str| Act::Say(String::leak(format!("* OK [CAPABILITY {words}] ready\r\n")));
    let first = greets("IMAP4rev1 AUTH=PLAIN IDLE ENABLE LITERAL+");
    let second = greets("IMAP4rev1 AUTH=PLAIN ENABLE LITERAL+");
    let first = LineServer::start(first, &[]).await;
    let second = LineServer::start(second, &[]).await;
    let alb = Alb::new()
        .place("first", first.address())
        .place("second", second.address())
        .start(
            "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$one\"]\nupstream = \"first\"\nplaintext_auth = true\n\
             [[mail]]\nprotocol = \"imap\"\nlisten = [\"$both\"]\nupstream = \"first\"\nauth = \"map\"\nplaintext_auth = true\n\
             [mail_auth.map]\nusers = { bob = \"second\" }\ndomains = { \"gone.example\" = \"third\" }\n\
             [upstream.first]\npeers = [\"$first\"]\n[upstream.second]\npeers = [\"$second\"]\n[upstream.third]\npeers = [\"127.0.0.1:9\"]\n",
        )
        .await;
    let greeting = |name: &'static str| async {
        let mut client = LineClient::connect(alb.address(name)).await;
        client.until("* OK").await
    };
    let seen = greeting("one").await;
    assert!(seen.contains(" IDLE") && seen.contains(" ENABLE"), "{seen}");
    let seen = greeting("both").await;
    assert!(
        !seen.contains(" IDLE") && seen.contains(" ENABLE"),
        "{seen}"
    );
}

#[tokio::test]
async fn silent_servers_are_asked_at_once_and_not_one_after_the_other() {
    let silent = LineServer::start(Act::Hang, &[]).await;
    let other = LineServer::start(Act::Hang, &[]).await;
    let good = LineServer::imap(&[]).await;
    let alb = Alb::new()
        .place("silent", silent.address())
        .place("other", other.address())
        .place("good", good.address())
        .start(
            "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"a\"\nplaintext_auth = true\n\
             [upstream.a]\npeers = [\"$silent\", \"$other\", \"$good\"]\n",
        )
        .await;
    let begun = Instant::now();
    let seen = offered(&alb, "imap").await;
    assert!(seen.contains(" IDLE"), "{seen}");
    // Two in a row would take ten seconds.
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// `deep` with this account and, for SMTP, this recipient.
fn deep(protocol: &str, recipient: &str) -> String {
    let account = "user = \"alice\", password_file = \"probe\"";
    match protocol {
        "smtp" => format!(", deep = {{ {account}, recipient = \"{recipient}\" }}"),
        _ => format!(", deep = {{ {account} }}"),
    }
}

async fn deeply(dovecot: &Dovecot, postfix: &Postfix, password: &str) -> Alb {
    let config = ["imap", "pop3", "smtp"]
        .map(|protocol| checked(protocol, &deep(protocol, "bob@gov.example")));
    Alb::new()
        .private_file("probe", format!("{password}\n"))
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .place("server_smtp", postfix.submission())
        .start(&config.concat())
        .await
}

#[tokio::test]
async fn a_deep_check_logs_in_and_uses_the_server() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = deeply(&dovecot, &postfix, PASSWORD).await;
    let log = dovecot.process().output();
    for protocol in ["imap", "pop3"] {
        more(log, 3, &format!("{protocol}(alice)")).await;
    }
    let log = postfix.process();
    let said = log.wait_for("mail=1 rcpt=1 rset=1 quit=1").await;
    assert!(said.contains("auth=1"), "{said}");
    more(log.output(), 3, "mail=1 rcpt=1 rset=1 quit=1").await;
    assert_eq!(alb.log().find(0, "health check"), None);
    assert!(postfix.messages().is_empty());
}

#[tokio::test]
async fn a_rejected_account_is_told_and_takes_no_server_out() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = deeply(&dovecot, &postfix, "not the password").await;
    for kind in ["kind=\"imap\"", "kind=\"pop3\"", "kind=\"smtp\""] {
        let told = ["rejects the login of the check's own account", kind];
        let line = within("a warning", alb.log().wait_for_all(&told)).await;
        assert!(line.contains("`password_file` of `health.deep`"), "{line}");
    }
    let refusals = "auth failed, 1 attempts";
    more(dovecot.process().output(), 10, refusals).await;
    let text = alb.log().text();
    assert_eq!(text.matches("own account").count(), 3, "{text}");
    assert!(!text.contains("the peer is not used"), "{text}");
    assert!(!text.contains("not the password"), "{text}");
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* OK").await;
    client
        .ask(&format!("a LOGIN alice \"{PASSWORD}\""), "a OK")
        .await;
}

#[tokio::test]
async fn a_server_that_refuses_mailbox_or_recipient_is_not_used() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let full = ("D STATUS", Act::Say("D NO [SERVERBUG] storage is away\r\n"));
    let imap = LineServer::imap(&[full]).await;
    let locked = ("STAT", Act::Say("-ERR [IN-USE] locked\r\n"));
    let pop3 = LineServer::pop3(&[locked]).await;
    let config = ["imap", "pop3"].map(|protocol| checked(protocol, &deep(protocol, "")));
    let smtp = checked("smtp", ", deep = { recipient = \"eve@far.example\" }");
    let alb = Alb::new()
        .private_file("probe", PASSWORD)
        .place("server_imap", imap.address())
        .place("server_pop3", pop3.address())
        .place("server_smtp", postfix.mx())
        .start(&(config.concat() + &smtp))
        .await;
    for (kind, seen) in [
        (
            "kind=\"imap\"",
            "STATUS INBOX with `NO [SERVERBUG] storage is away`",
        ),
        ("kind=\"pop3\"", "STAT with `-ERR [IN-USE] locked`"),
        ("kind=\"smtp\"", "`RCPT TO:<eve@far.example>` with `5"),
    ] {
        let told = ["failed 3 times: the peer is not used", kind, seen];
        within("the verdict", alb.log().wait_for_all(&told)).await;
    }
}

#[tokio::test]
async fn a_server_without_room_is_told_once_and_stays() {
    let busy = LineServer::start(Act::Last("421 4.3.2 no room\r\n"), &[]).await;
    let alb = Alb::new()
        .place("server_smtp", busy.address())
        .start(&checked("smtp", ""))
        .await;
    let line = alb.wait_for_log("turned away for now").await;
    assert!(line.contains("421 4.3.2 no room"), "{line}");
    more(busy.heard(), 5, "connected").await;
    let text = alb.log().text();
    assert_eq!(text.matches("health check").count(), 1, "{text}");
}

#[tokio::test]
async fn a_server_whose_clients_may_become_others_is_told_of_once() {
    let greeting = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN UNAUTHENTICATE] ready\r\n";
    let server = LineServer::start(Act::Say(greeting), &[]).await;
    let alb = Alb::new()
        .place("server_imap", server.address())
        .start(&checked("imap", ""))
        .await;
    let line = alb.wait_for_log("offers UNAUTHENTICATE").await;
    assert!(line.contains("turn it off at the server"), "{line}");
    more(server.heard(), 3, "connected").await;
    let text = alb.log().text();
    assert_eq!(text.matches("UNAUTHENTICATE").count(), 1, "{text}");
}
