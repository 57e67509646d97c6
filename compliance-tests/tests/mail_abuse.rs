//! Mail clients that guess, crowd or may not come in: what they are told, and how long that lasts.

use std::time::{Duration, Instant};

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::line_server::{Act, LineServer};
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer};

/// What the passwords are checked by here: a file whose answers are immediate, `se cret` for alice and bob.
const USERS: &str = "alice {PLAIN}secret\nbob {PLAIN}secret\n";

/// An IMAP, a POP3 and an SMTP listener without TLS, whose users are known; nothing listens behind.
fn three(more: &str, lockout: &str) -> String {
    let one = |protocol: &str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"behind\"\nauth = \"users\"\n\
             capabilities = [\"X\"]\nplaintext_auth = true\n{more}\n"
        )
    };
    format!(
        "{}{}{}[mail_auth.users]\nfile = \"users\"\n[upstream.behind]\npeers = [\"$behind\"]\n[lockout]\n{lockout}\n",
        one("imap"),
        one("pop3"),
        one("smtp")
    )
}

async fn start(config: &str) -> Alb {
    Alb::new().private_file("users", USERS).start(config).await
}

async fn guess(alb: &Alb, password: &str) -> LineClient {
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* OK").await;
    client
        .ask(&format!("a LOGIN alice {password}"), "a NO [AUTH")
        .await;
    client
}

#[tokio::test]
async fn a_guessing_client_is_locked_out_of_all_protocols_for_its_time() {
    let lockout = "per_client = 3\nper_user = 0\ntime = \"2s\"\ndelay = \"0s\"";
    let alb = start(&three("", lockout)).await;
    for password in ["one", "two", "two", "two"] {
        guess(&alb, password).await;
    }
    let mut third = guess(&alb, "three").await;
    third
        .until("* BYE [UNAVAILABLE] Too many failed logins")
        .await;
    let locked = Instant::now();
    alb.wait_for_log("client locked out: too many rejected logins")
        .await;
    for (protocol, words) in [
        ("imap", "* BYE [UNAVAILABLE] Too many failed logins"),
        ("pop3", "-ERR [SYS/TEMP] Too many failed logins"),
        ("smtp", "421 4.7.0 Too many failed logins"),
    ] {
        let mut client = LineClient::connect(alb.address(protocol)).await;
        let said = client.rest().await;
        assert!(said.starts_with(words) && said.ends_with("\r\n"), "{said}");
    }
    // A reload keeps what is known, and takes what is new.
    alb.rewrite(&three("", &format!("{lockout}\nwaiting = 10")));
    alb.reload().await.expect("reloaded");
    assert!(
        locked.elapsed() < Duration::from_secs(2),
        "the machine is too slow for this test"
    );
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* BYE").await;
    tokio::time::sleep_until((locked + Duration::from_millis(2100)).into()).await;
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* OK").await;
}

#[tokio::test]
async fn an_address_that_is_exempt_is_never_locked_out() {
    let lockout = "per_client = 1\nper_user = 0\ndelay = \"0s\"\nexempt = [\"127.0.0.0/8\"]";
    let alb = start(&three("", lockout)).await;
    for password in ["one", "two", "three"] {
        guess(&alb, password).await;
    }
}

#[tokio::test]
async fn each_failure_of_a_session_waits_longer_and_the_last_one_ends_it() {
    let alb = start(&three("max_failures = 4", "delay = \"100ms\"")).await;
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* OK").await;
    for (number, least) in [(1, 100), (2, 200), (3, 400), (4, 800)] {
        let asked = Instant::now();
        client
            .ask(&format!("a LOGIN alice no{number}"), "a NO")
            .await;
        let took = asked.elapsed();
        assert!(took >= Duration::from_millis(least), "{number}: {took:?}");
    }
    client.until("* BYE Too many failed logins").await;
}

#[tokio::test]
async fn when_too_many_wait_the_session_is_closed_instead() {
    let alb = start(&three("", "delay = \"30s\"\nwaiting = 0")).await;
    let mut client = guess(&alb, "wrong").await;
    client.until("* BYE Too many failed logins").await;
}

#[tokio::test]
async fn an_account_that_is_guessed_at_is_slow_for_everybody_but_open() {
    let alb = start(&three(
        "",
        "per_client = 0\nper_user = 2\ndelay = \"100ms\"",
    ))
    .await;
    let mut client = LineClient::connect(alb.address("imap")).await;
    client.until("* OK").await;
    client.ask("a LOGIN ALICE one", "a NO").await;
    client.ask("b LOGIN alice two", "b NO").await;
    for (user, slow) in [("alice", true), ("bob", false)] {
        let mut client = LineClient::connect(alb.address("imap")).await;
        client.until("* OK").await;
        let asked = Instant::now();
        // The password is right; there is no server behind.
        client
            .ask(&format!("a LOGIN {user} secret"), "a NO [UNAVAILABLE]")
            .await;
        assert_eq!(
            asked.elapsed() >= Duration::from_millis(400),
            slow,
            "{user}"
        );
    }
}

#[tokio::test]
async fn what_is_not_the_clients_fault_does_not_count() {
    let lockout = "per_client = 1\nper_user = 0\ndelay = \"0s\"";
    let alb = start(&three("", lockout)).await;
    for _ in 0..3 {
        let mut client = LineClient::connect(alb.address("imap")).await;
        client.until("* OK").await;
        client
            .ask("a LOGIN alice secret", "a NO [UNAVAILABLE]")
            .await;
    }
}

#[tokio::test]
async fn a_guess_counts_though_its_client_does_not_wait_for_the_answer() {
    const REFUSED: Act =
        Act::Say("HTTP/1.0 200 OK\r\nAuth-Status: Invalid\r\nAuth-Wait: 60\r\n\r\n");
    let (alb, decider) = decided_by(REFUSED, "per_client = 2\nper_user = 0").await;
    for password in ["one", "two"] {
        let mut client = LineClient::connect(alb.address("imap")).await;
        client.until("* OK").await;
        client.send(format!("a LOGIN alice {password}\r\n")).await;
        within("the question", decider.heard().wait_for(0, password)).await;
    }
    alb.wait_for_log("client locked out").await;
}

#[tokio::test]
async fn a_refusal_for_now_is_passed_on_as_it_is_and_counts_as_no_guess() {
    const LATER: Act = Act::Say(
        "HTTP/1.0 200 OK\r\nAuth-Status: Busy\r\nAuth-Error-Code: 451\r\nAuth-Wait: 1\r\n\r\n",
    );
    let (alb, _decider) = decided_by(LATER, "per_client = 1\ndelay = \"0s\"").await;
    for _ in 0..2 {
        let mut client = LineClient::connect(alb.address("smtp")).await;
        client.until("220").await;
        client.ask("EHLO c.test", "250 ").await;
        client
            .ask("AUTH PLAIN AGFsaWNlAHdyb25n", "451 4.7.0 Busy")
            .await;
    }
}

#[tokio::test]
async fn a_question_that_a_service_does_not_take_says_nothing_about_the_service() {
    const TOO_LARGE: Act = Act::Say("HTTP/1.0 400 Bad Request\r\n\r\n");
    let (alb, decider) = decided_by(TOO_LARGE, "per_client = 1").await;
    for number in 1..=5 {
        let mut client = LineClient::connect(alb.address("imap")).await;
        client.until("* OK").await;
        client.ask("a LOGIN alice odd", "a NO [UNAVAILABLE]").await;
        // Had it counted as failed, it would not be asked any more.
        within("a question", decider.heard().wait_for_many(number, "GET")).await;
    }
}

/// A gateway whose logins are decided by a service that always says the same.
async fn decided_by(answer: Act, lockout: &str) -> (Alb, LineServer) {
    let decider = LineServer::start(Act::Say(""), &[("\r\n", answer)]).await;
    let decided = "http = { upstream = \"decider\" }";
    let config = three("", lockout).replace("file = \"users\"", decided);
    let upstream = "[upstream.decider]\npeers = [\"$decider\", \"$other\"]\nmax_fails = 1\n";
    let alb = Alb::new()
        .place("decider", decider.address())
        .place("other", "127.0.0.1:1")
        .start(&(config + upstream))
        .await;
    (alb, decider)
}

#[tokio::test]
async fn guesses_of_many_sessions_at_once_are_as_few_as_one_after_the_other() {
    let server = LineServer::imap(&[("L ", Act::Say("L NO wrong\r\n"))]).await;
    let alb = Alb::new()
        .place("server", server.address())
        .start(
            "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"behind\"\nplaintext_auth = true\n\
             [upstream.behind]\npeers = [\"$server\"]\n[lockout]\nper_client = 2\ndelay = \"0s\"\n",
        )
        .await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = LineClient::connect(alb.address("imap")).await;
        client.until("* OK").await;
        clients.push(client);
    }
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("a LOGIN alice {number}\r\n")).await;
    }
    for client in &mut clients {
        client.until("a NO").await;
    }
    let heard = server.heard().text();
    let asked = heard.lines().filter(|line| line.starts_with("L "));
    assert_eq!(asked.count(), 2, "{heard}");
}

#[tokio::test]
async fn the_denied_and_the_too_many_are_told_in_their_protocol() {
    let denied = "access = \"nobody\"";
    let nobody = "per_client = 0\n[access.nobody]\nrules = [\"deny all\"]";
    let alb = start(&three(denied, nobody)).await;
    for (protocol, words) in [
        ("imap", "* BYE Access denied\r\n"),
        ("pop3", "-ERR [SYS/PERM] Access denied\r\n"),
        ("smtp", "554 5.7.1 Access denied\r\n"),
    ] {
        let mut client = LineClient::connect(alb.address(protocol)).await;
        assert_eq!(client.rest().await, words);
    }
    let one = "per_client = 0\n[limit.one]\nkey = \"client_ip, server\"\nconnections = 1";
    for limit in ["limits = [\"one\"]", "max_connections = 1"] {
        let alb = start(&three(limit, if limit.contains("one") { one } else { "" })).await;
        let mut all = Vec::new();
        for (protocol, greeting, words) in [
            (
                "imap",
                "* OK",
                "* BYE [LIMIT] Too many connections, try again later\r\n",
            ),
            (
                "pop3",
                "+OK",
                "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
            ),
            (
                "smtp",
                "220",
                "421 4.7.0 Too many connections, try again later\r\n",
            ),
        ] {
            // The limit is one of all listeners, `max_connections` one of each.
            if all.is_empty() || !limit.contains("one") {
                let mut first = LineClient::connect(alb.address(protocol)).await;
                first.until(greeting).await;
                all.push(first);
            }
            let mut second = LineClient::connect(alb.address(protocol)).await;
            assert_eq!(second.rest().await, words, "{limit}");
        }
    }
}

#[tokio::test]
async fn over_a_limit_the_refusal_comes_inside_tls_and_so_does_the_want_of_a_certificate() {
    let pki = Pki::new();
    let config = |tls: &str, more: &str| {
        format!(
            "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"behind\"\ncapabilities = [\"X\"]\n{more}\n\
             tls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\"{tls} }}\n{}\n[upstream.behind]\npeers = [\"$behind\"]\n",
            pki::IDENTITIES
        )
    };
    let limited = config("", "limits = [\"one\"]") + "[limit.one]\nconnections = 1\n";
    let alb = Alb::new().place("pki", &pki).start(&limited).await;
    let mut first = LineClient::secure(alb.address("imap"), &Offer::tlcp(&pki)).await;
    first.until("* OK").await;
    let mut second = LineClient::secure(alb.address("imap"), &Offer::tls(&pki)).await;
    assert_eq!(
        second.rest().await,
        "* BYE [LIMIT] Too many connections, try again later\r\n"
    );
    let required = config(
        ", client_auth = { mode = \"required\", ca = [\"$pki/gm-ca.pem\"] }",
        "",
    );
    let alb = Alb::new().place("pki", &pki).start(&required).await;
    for offer in [Offer::tls(&pki), Offer::tlcp(&pki)] {
        let mut client = LineClient::secure(alb.address("imap"), &offer).await;
        assert_eq!(client.rest().await, "* BYE No required SSL certificate\r\n");
    }
    let offer = Offer::tlcp(&pki).pair(&pki, "client");
    let mut client = LineClient::secure(alb.address("imap"), &offer).await;
    client.until("* OK").await;
}

#[tokio::test]
async fn a_user_has_so_many_sessions_and_no_more() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new().place("pop", dovecot.pop3());
    let alb = alb.place("mailbox", dovecot.imap());
    let one = |protocol: &str, upstream: &str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{upstream}\"\nplaintext_auth = true\n\
             limits = [\"sessions\"]\n[upstream.{upstream}]\npeers = [\"${upstream}\"]\n"
        )
    };
    let limit = "[limit.sessions]\nkey = \"user\"\nconnections = 1\n";
    let alb = alb
        .start(&(one("imap", "mailbox") + &one("pop3", "pop") + limit))
        .await;
    let mut first = LineClient::connect(alb.address("imap")).await;
    first.until("* OK").await;
    first.ask("a LOGIN alice \"se cret\"", "a OK").await;
    let mut second = LineClient::connect(alb.address("imap")).await;
    second.until("* OK").await;
    second
        .ask(
            "a LOGIN ALICE \"se cret\"",
            "a NO [LIMIT] Too many sessions",
        )
        .await;
    let mut third = LineClient::connect(alb.address("pop3")).await;
    third.until("+OK").await;
    third.ask("USER alice", "+OK").await;
    third.ask("PASS se cret", "-ERR [IN-USE]").await;
    first.ask("b LOGOUT", "b OK").await;
    first.rest().await;
    first.finish().await;
    drop(first);
    // The place is free as soon as the gateway has seen the end.
    for _ in 0..100 {
        second.send("b LOGIN alice \"se cret\"\r\n").await;
        if second.until("b ").await.contains("b OK") {
            return;
        }
    }
    panic!("the place of the first session stays taken");
}

#[tokio::test]
async fn messages_and_recipients_of_a_user_are_counted_over_all_his_sessions() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = Alb::new().place("backend", postfix.submission());
    let alb = alb
        .start(
            "[[mail]]\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"postfix\"\nplaintext_auth = true\n\
             smtp = { message_limits = [\"messages\"], recipient_limits = [\"recipients\"] }\n\
             [limit.messages]\nkey = \"user\"\nrequests = 2\nper = \"1h\"\n\
             [limit.recipients]\nkey = \"user\"\nrequests = 3\nper = \"1h\"\n\
             [upstream.postfix]\npeers = [\"$backend\"]\nmail = { client_info = \"xclient\" }\n",
        )
        .await;
    for (session, reply) in [(1, "250"), (2, "450 4.7.1 Too many recipients")] {
        let mut client = LineClient::connect(alb.address("smtp")).await;
        client.until("220").await;
        client.ask("EHLO client.test", "250 ").await;
        client.ask("AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=", "235").await;
        client.ask("MAIL FROM:<alice@gov.example>", "250").await;
        client.ask("RCPT TO:<bob@gov.example>", "250").await;
        client.ask("RCPT TO:<alice@gov.example>", reply).await;
        client.ask("RSET", "250").await;
        if session == 2 {
            client
                .ask(
                    "MAIL FROM:<alice@gov.example>",
                    "450 4.7.1 Too many messages",
                )
                .await;
        }
    }
}
