//! Which server a user is led to: the same host in every protocol, never another store, and what a reload that takes a server
//! out, or brings it back, does to sessions.

use std::net::Ipv4Addr;

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::{Listener, plain};
use alb_compliance_tests::origin::{Dovecot, LineServer, dovecot};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::{Alb, address};

/// Enough for both of two servers to have some.
const USERS: u8 = 20;

fn user(number: u8) -> String {
    format!("u{number}")
}

/// What a client of a protocol says to log in, and how the answers begin where it is let in and where it is to come again.
struct Login {
    protocol: &'static str,
    greeting: &'static str,
    hello: Option<(&'static str, &'static str)>,
    command: &'static str,
    taken: &'static str,
    later: &'static str,
}

const LOGINS: [Login; 3] = [
    Login {
        protocol: "imap",
        greeting: "* OK",
        hello: None,
        command: "a AUTHENTICATE PLAIN",
        taken: "a OK",
        later: "a NO [UNAVAILABLE]",
    },
    Login {
        protocol: "pop3",
        greeting: "+OK",
        hello: None,
        command: "AUTH PLAIN",
        taken: "+OK",
        later: "-ERR [SYS/TEMP]",
    },
    Login {
        protocol: "smtp",
        greeting: "220",
        hello: Some(("EHLO c.test", "250 ")),
        command: "AUTH PLAIN",
        taken: "235",
        later: "454 4.7.0",
    },
];

impl Login {
    /// Logs in as this user; the session, and how the answer began.
    async fn attempt(&self, alb: &Alb, user: &str) -> (LineClient, String) {
        let mut client = LineClient::connect(alb.address(self.protocol)).await;
        client.until(self.greeting).await;
        if let Some((line, answer)) = self.hello {
            client.ask(line, answer).await;
        }
        let line = format!("{} {}\r\n", self.command, plain(user, dovecot::PASSWORD));
        client.send(line).await;
        let answer = client.until("").await;
        (client, answer)
    }

    async fn enter(&self, alb: &Alb, user: &str) -> LineClient {
        let (client, answer) = self.attempt(alb, user).await;
        assert!(answer.starts_with(self.taken), "{user}: {answer}");
        client
    }

    async fn is_put_off(&self, alb: &Alb, user: &str) -> bool {
        let (_, answer) = self.attempt(alb, user).await;
        let later = answer.starts_with(self.later);
        assert!(later || answer.starts_with(self.taken), "{user}: {answer}");
        later
    }
}

/// One worker, one listener of this protocol, and its upstream with these keys.
fn config(protocol: &'static str, upstream: &str) -> String {
    let offers = match protocol {
        "smtp" => "DSN",
        "imap" => "IDLE",
        _ => "USER",
    };
    let listener = Listener::new(protocol, protocol, "none", protocol).with(&format!(
        "plaintext_auth = true\ncapabilities = [\"{offers}\"]"
    ));
    format!(
        "{listener}[upstream.{protocol}]\nbalance = \"hash\"\nhash_key = \"user\"\n{upstream}\n"
    )
}

const ONE_WORKER: &str = "[daemon]\nworkers = 1\n";

/// A server whose users are told from their base64.
async fn server(protocol: &str) -> LineServer {
    match protocol {
        "smtp" => LineServer::smtp(&[]).await,
        "imap" => LineServer::imap(&[]).await,
        _ => LineServer::pop3(&[]).await,
    }
}

fn knows(server: &LineServer, user: &str) -> bool {
    let heard = server.heard().text();
    heard.contains(&plain(user, dovecot::PASSWORD)) || heard.contains(&format!("USER {user}\r\n"))
}

#[tokio::test]
async fn users_are_at_the_same_host_for_imap_and_pop3() {
    let pki = Pki::new();
    let hosts = [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)];
    let first = Dovecot::start_at(hosts[0], &pki).await;
    let second = Dovecot::start_at(hosts[1], &pki).await;
    let upstream = |protocol| {
        let peers = format!("peers = [\"${protocol}1\", \"${protocol}2\"]\nhash_peers = \"host\"");
        config(protocol, &peers)
    };
    let alb = Alb::new()
        .place("imap1", first.imap())
        .place("imap2", second.imap())
        .place("pop31", first.pop3())
        .place("pop32", second.pop3());
    let alb = alb.start(&(upstream("imap") + &upstream("pop3"))).await;
    for number in 0..USERS {
        for login in &LOGINS[..2] {
            login.enter(&alb, &user(number)).await;
        }
    }
    let mut counts = [0; 2];
    for number in 0..USERS {
        let at = |protocol, server: &Dovecot| {
            let login = format!("{protocol}-login: Info: Login: user=<{}>,", user(number));
            server.process().output().text().contains(&login)
        };
        let imap = at("imap", &first);
        assert_ne!(imap, at("imap", &second), "{number}");
        assert_eq!(imap, at("pop3", &first), "{number}");
        assert_ne!(imap, at("pop3", &second), "{number}");
        counts[usize::from(imap)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[tokio::test]
async fn a_user_whose_store_is_out_is_told_to_come_again_and_never_led_to_another() {
    let mut alb = Alb::new();
    let mut text = String::new();
    let (mut servers, dead) = (Vec::new(), address::nobody());
    for login in &LOGINS {
        let protocol = login.protocol;
        let alive = server(protocol).await;
        alb = alb.place(&format!("{protocol}1"), alive.address());
        servers.push(alive);
        let peers = format!("peers = [\"${protocol}1\", \"$dead\"]\nfailover = false");
        text += &config(protocol, &peers);
    }
    let alb = alb.place("dead", dead.address()).start(&text).await;
    for (login, server) in LOGINS.iter().zip(&servers) {
        let mut put_off = 0;
        for number in 0..USERS {
            // The third time round the server is known to have failed.
            let first = login.is_put_off(&alb, &user(number)).await;
            assert_eq!(login.is_put_off(&alb, &user(number)).await, first);
            assert_eq!(knows(server, &user(number)), !first, "{number}");
            put_off += u8::from(first);
        }
        assert!((1..USERS).contains(&put_off), "{put_off}");
    }
    alb.wait_for_log("is not used for").await;
}

/// A user whose session is at the first server.
async fn at_the_first(login: &Login, alb: &Alb, first: &LineServer) -> (LineClient, String) {
    for number in 0..USERS {
        let client = login.enter(alb, &user(number)).await;
        if knows(first, &user(number)) {
            return (client, user(number));
        }
    }
    panic!("nobody is at the first server");
}

#[tokio::test]
async fn a_server_taken_out_by_a_reload_keeps_its_sessions_and_gets_no_new_ones() {
    let peers = [
        // Down, and others take over.
        "peers = [{ address = \"$first\", down = true }, \"$second\"]",
        // Not in the list any more.
        "peers = [\"$second\"]",
        // Down, and its users are its own.
        "failover = false\npeers = [{ address = \"$first\", down = true }, \"$second\"]",
        "failover = false\npeers = [{ address = \"$first\", drain = true }, \"$second\"]",
    ];
    for changed in peers {
        let (imap, servers) = (&LOGINS[0], [server("imap").await, server("imap").await]);
        let alb = Alb::new()
            .place("first", servers[0].address())
            .place("second", servers[1].address());
        let alb = alb
            .start(&config("imap", "peers = [\"$first\", \"$second\"]"))
            .await;
        let (mut old, user) = at_the_first(imap, &alb, &servers[0]).await;
        alb.rewrite(&config("imap", changed));
        alb.reload().await.expect("a good configuration");
        let heard = servers[0].heard();
        let before = heard.mark();
        let own = changed.contains("failover");
        assert_eq!(imap.is_put_off(&alb, &user).await, own, "{changed}");
        assert_eq!(knows(&servers[1], &user), !own, "{changed}");
        assert_eq!(heard.mark(), before, "{changed}");
        old.ask("b NOOP", "b OK").await;
        old.ask("b LOGOUT", "b OK").await;
    }
}

#[tokio::test]
async fn sessions_go_home_one_after_the_other_when_their_server_is_back() {
    for login in [&LOGINS[0], &LOGINS[2]] {
        let protocol = login.protocol;
        let servers = [server(protocol).await, server(protocol).await];
        let alb = Alb::new()
            .place("first", servers[0].address())
            .place("second", servers[1].address());
        let with = |first: &str| {
            let upstream = format!("peers = [{first}, \"$second\"]\nmail = {{ rehome = \"1s\" }}");
            format!("{ONE_WORKER}{}", config(protocol, &upstream))
        };
        let well = with("\"$first\"");
        let alb = alb.start(&well).await;
        let (_, moved) = at_the_first(login, &alb, &servers[0]).await;
        let (mut stays, other) = at_the_first(login, &alb, &servers[1]).await;
        alb.rewrite(&with("{ address = \"$first\", down = true }"));
        alb.reload().await.expect("a good configuration");
        let mut away = login.enter(&alb, &moved).await;
        assert!(knows(&servers[1], &moved) && !knows(&servers[0], &other));
        alb.rewrite(&well);
        alb.reload().await.expect("a good configuration");
        let mail = ("MAIL FROM:<a@gov.example>", "250");
        if protocol == "smtp" {
            away.ask(mail.0, mail.1).await;
        }
        // The worker learns of the peers that are in force now.
        login.enter(&alb, &other).await;
        if protocol == "smtp" {
            // Within a message nothing ends.
            away.ask("RCPT TO:<b@gov.example>", "250").await;
            away.ask("DATA", "354").await;
            away.send("Subject: x\r\n\r\nx\r\n.\r\n").await;
            away.until("250 2.0.0 queued").await;
            stays.ask(mail.0, mail.1).await;
        } else {
            stays.ask("b NOOP", "b OK").await;
        }
        let said = away.rest().await;
        let expected = match protocol {
            "smtp" => "421 4.3.2 Your server is back, try again\r\n",
            _ => "",
        };
        assert_eq!(said, expected);
        alb.wait_for_log("reason=\"rehomed\"").await;
        assert_eq!(alb.log().text().matches("rehomed").count(), 1);
        login.enter(&alb, &moved).await;
        drop(stays);
    }
}
