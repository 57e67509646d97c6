//! When another server is tried, and what is held against one: it must not be what a client did or wants.

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::{Listener, plain};
use alb_compliance_tests::origin::LineServer;
use alb_compliance_tests::origin::line_server::{Act, Rule};

const SMTP: &str = "220 server.test ESMTP\r\n";
const PLAIN: &str = "AUTH PLAIN";

/// Two servers of which one failure takes one out, and a listener that promises DSN.
async fn start(first: &LineServer, second: &LineServer) -> Alb {
    let listener = Listener::new("smtp", "smtp", "none", "pair")
        .with("plaintext_auth = true\ncapabilities = [\"DSN\"]");
    let config = format!(
        "[daemon]\nworkers = 1\n[lockout]\nper_client = 0\nper_user = 0\ndelay = \"0s\"\n{listener}\
         [upstream.pair]\npeers = [\"$first\", \"$second\"]\nmax_fails = 1\nfail_timeout = \"1h\"\n"
    );
    let alb = Alb::new()
        .place("first", first.address())
        .place("second", second.address());
    alb.start(&config).await
}

async fn smtp(greeting: &'static str, first: &[Rule]) -> LineServer {
    // The rules of a proper server stand behind these.
    match greeting {
        SMTP => LineServer::smtp(first).await,
        other => LineServer::start(Act::Last(other), &[]).await,
    }
}

/// So many clients log in, each on its own connection.
async fn log_in(alb: &Alb, times: usize, answer: &str) {
    for _ in 0..times {
        let mut client = LineClient::connect(alb.address("smtp")).await;
        client.until("220").await;
        client.ask("EHLO c.test", "250 ").await;
        let line = format!("AUTH PLAIN {}", plain("alice", "se cret"));
        client.ask(&line, answer).await;
    }
}

fn count(server: &LineServer, what: &str) -> usize {
    let heard = server.heard().text();
    heard.lines().filter(|line| line.starts_with(what)).count()
}

fn assert_nobody_is_out(alb: &Alb) {
    let log = alb.log().text();
    assert!(!log.contains("is not used for"), "{log}");
}

#[tokio::test]
async fn a_server_that_lacks_what_was_promised_is_passed_over_and_not_out() {
    let plain = Act::Say("250-server.test\r\n250 AUTH PLAIN\r\n");
    let (lacking, other) = (smtp(SMTP, &[("EHLO", plain)]).await, smtp(SMTP, &[]).await);
    let alb = start(&lacking, &other).await;
    log_in(&alb, 6, "235").await;
    assert_eq!(count(&other, PLAIN), 6);
    assert_eq!(count(&lacking, PLAIN), 0);
    // It has its turns as before.
    assert!(count(&lacking, "connected") >= 3);
    assert_nobody_is_out(&alb);
}

#[tokio::test]
async fn a_server_without_the_mechanism_of_a_client_is_not_out_for_the_others() {
    let none = Act::Say("250-server.test\r\n250-DSN\r\n250 SIZE 0\r\n");
    let (lacking, other) = (smtp(SMTP, &[("EHLO", none)]).await, smtp(SMTP, &[]).await);
    let alb = start(&lacking, &other).await;
    log_in(&alb, 6, "235").await;
    assert!(count(&lacking, "connected") >= 3);
    assert_nobody_is_out(&alb);
}

#[tokio::test]
async fn rejected_passwords_are_held_against_no_server_and_shown_to_no_other() {
    let no = [(PLAIN, Act::Say("535 5.7.8 Not you\r\n"))];
    let (first, second) = (smtp(SMTP, &no).await, smtp(SMTP, &no).await);
    let alb = start(&first, &second).await;
    log_in(&alb, 6, "535").await;
    assert_eq!([count(&first, PLAIN), count(&second, PLAIN)], [3, 3]);
    assert_nobody_is_out(&alb);
}

#[tokio::test]
async fn a_server_that_greets_with_421_counts_as_failed_and_the_next_is_tried() {
    let busy = smtp("421 4.3.2 Too busy\r\n", &[]).await;
    let other = smtp(SMTP, &[]).await;
    let alb = start(&busy, &other).await;
    log_in(&alb, 4, "235").await;
    assert_eq!(count(&other, PLAIN), 4);
    alb.wait_for_log("is not used for").await;
}

#[tokio::test]
async fn a_password_is_shown_to_another_server_only_if_the_first_says_that_it_cannot_now() {
    for (words, next) in [
        ("454 4.7.0 Temporary authentication failure\r\n", "235"),
        ("421 4.3.2 Going\r\n", "235"),
        ("451 4.3.0 Something else\r\n", "454"),
        ("", "454"),
    ] {
        let (first, second) = (
            smtp(SMTP, &[(PLAIN, Act::Last(words))]).await,
            smtp(SMTP, &[]).await,
        );
        let alb = start(&first, &second).await;
        // Either may have the first turn.
        for _ in 0..2 {
            let before = count(&first, PLAIN);
            let mut client = LineClient::connect(alb.address("smtp")).await;
            client.until("220").await;
            client.ask("EHLO c.test", "250 ").await;
            client
                .send(format!("AUTH PLAIN {}\r\n", plain("alice", "se cret")))
                .await;
            let answer = client.until("").await;
            let was_first = count(&first, PLAIN) > before;
            let expected = if was_first { next } else { "235" };
            assert!(answer.starts_with(expected), "{words}: {answer}");
        }
        assert_eq!(count(&first, PLAIN), 1, "{words}");
        assert_nobody_is_out(&alb);
    }
}
