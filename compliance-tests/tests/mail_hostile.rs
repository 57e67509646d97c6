//! What must not happen to mail sessions: answers of a deciding service that are not what they should be, clients that take
//! their time or offer another protocol, small messages that wait for each other.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::{LineClient, Speak};
use alb_compliance_tests::mail::{Listener, plain};
use alb_compliance_tests::origin::{LineServer, Script};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Process;
use alb_compliance_tests::sockets::connections;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer, tools};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A user, and what the service says of him; `right` answers would let him in at `$server`.
const ANSWERS: [(&str, &str); 10] = [
    // nginx would let this one in: there is a server.
    (
        "no-status",
        "HTTP/1.0 200 OK\r\nAuth-Server: HOST\r\nAuth-Port: PORT\r\n\r\n",
    ),
    ("nothing", ""),
    ("half", "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n"),
    ("not-http", "+OK\r\nAuth-Status: OK\r\n\r\n"),
    (
        "no-port",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: HOST\r\n\r\n",
    ),
    (
        "elsewhere",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 10.0.0.1\r\nAuth-Port: 25\r\n\r\n",
    ),
    (
        "bare-return",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-User: a\rb\r\nAuth-Server: HOST\r\nAuth-Port: PORT\r\n\r\n",
    ),
    (
        "nul",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-User: a\0b\r\nAuth-Server: HOST\r\nAuth-Port: PORT\r\n\r\n",
    ),
    (
        "large",
        "HTTP/1.0 200 OK\r\nX-Large: LARGE\r\nAuth-Status: OK\r\nAuth-Server: HOST\r\nAuth-Port: PORT\r\n\r\n",
    ),
    ("endless", "LARGE"),
];

const RIGHT: &str =
    "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-Server: HOST\r\nAuth-Port: PORT\r\n\r\n";

/// Answers by the user asked about; `split` gets the right answer byte by byte.
async fn service(server: SocketAddr) -> Script {
    Script::start(move |mut stream| async move {
        stream.set_nodelay(true).expect("an option of TCP");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert!(stream.read_buf(&mut request).await.expect("a request") > 0);
        }
        let request = String::from_utf8(request).expect("text");
        let asked = |user: &str| request.contains(&format!("Auth-User: {user}\r\n"));
        let answer = ANSWERS.iter().find(|(user, _)| asked(user));
        let answer = answer
            .map_or(RIGHT, |(_, answer)| answer)
            .replace("HOST", &server.ip().to_string())
            .replace("PORT", &server.port().to_string())
            .replace("LARGE", &"x".repeat(1 << 20));
        let piece = if asked("split") {
            1
        } else {
            answer.len().max(1)
        };
        for piece in answer.as_bytes().chunks(piece) {
            // The gateway does not read everything of them.
            if stream.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn only_a_whole_and_proper_answer_of_a_service_lets_anybody_in() {
    let pki = Pki::new();
    let server = LineServer::smtp(&[]).await;
    let service = service(server.address()).await;
    let listener = Listener::new("smtp", "smtp", "none", "smtp")
        .with("plaintext_auth = true\nauth = \"service\"");
    let config = format!(
        "{listener}{}[upstream.smtp]\npeers = [\"$server\"]\n[upstream.service]\npeers = [\"$service\"]\n\
         [mail_auth.service]\nhttp = {{ upstream = \"service\", allowed_backends = [\"127.0.0.0/8\"] }}\n",
        pki::IDENTITIES
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address())
        .place("service", service.address())
        .start(&config)
        .await;
    let asked = |user: &'static str, answer: &'static str| {
        let at = alb.address("smtp");
        async move {
            let mut client = LineClient::connect(at).await;
            client.until("220").await;
            client.ask("EHLO c.test", "250 ").await;
            let line = format!("AUTH PLAIN {}", plain(user, "x"));
            let told = client.ask(&line, "").await;
            assert!(told.starts_with(answer), "{user}: {told}");
        }
    };
    for (user, _) in ANSWERS {
        asked(user, "454 4.7.0").await;
    }
    assert!(
        server.heard().find(0, "AUTH").is_none(),
        "{}",
        server.heard().text()
    );
    asked("split", "235 2.7.0").await;
    asked("anybody", "235 2.7.0").await;
}

#[tokio::test]
async fn who_offers_another_application_protocol_is_refused_in_the_handshake() {
    let pki = Pki::new();
    let mut config = pki::IDENTITIES.to_owned();
    let server = LineServer::imap(&[]).await;
    for protocol in ["smtp", "imap", "pop3"] {
        config += &Listener::new(protocol, protocol, "implicit", "any").to_string();
    }
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address());
    let alb = alb
        .start(&format!("{config}[upstream.any]\npeers = [\"$server\"]\n"))
        .await;
    for protocol in ["smtp", "imap", "pop3"] {
        for offer in [Offer::tls(&pki), Offer::tlcp(&pki)] {
            let refused = offer.connect(alb.address(protocol), Speak::Http1).await;
            let error = format!("{:?}", refused.expect_err("a refusal"));
            assert!(
                error.to_lowercase().contains("no application protocol"),
                "{protocol}: {error}"
            );
        }
        let at = alb.address(protocol).to_string();
        let ask = format!(
            "s_client -connect {at} -alpn {protocol} -CAfile {}/ca.pem </dev/null",
            pki.path().display()
        );
        let said = tools::run("sh", &["-c", &format!("openssl {ask}")]).await;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(
            said.contains(&format!("ALPN protocol: {protocol}")),
            "{said}"
        );
    }
}

/// A byte now and then keeps the pause short, and does not keep the session; nor does a handshake that never ends.
#[tokio::test]
async fn a_client_that_takes_its_time_is_sent_away() {
    let pki = Pki::new();
    let server = LineServer::smtp(&[]).await;
    let mut config = pki::IDENTITIES.to_owned();
    for protocol in ["smtp", "imap", "pop3"] {
        let clear = "plaintext_auth = true\ntimeouts = { command = \"1s\", login = \"2s\" }";
        config += &Listener::new(protocol, protocol, "none", "any")
            .with(clear)
            .to_string();
        let within_tls = format!("{protocol}_tls");
        let listener = Listener::new(&within_tls, protocol, "implicit", "any").to_string();
        let hasty = "\"implicit\", handshake_timeout = \"1s\"";
        config += &listener.replace("\"implicit\"", hasty);
    }
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address());
    let alb = alb
        .start(&format!("{config}[upstream.any]\npeers = [\"$server\"]\n"))
        .await;
    for (number, (protocol, greeting, told)) in [
        ("smtp", "220", "421 4.4.2 Timeout, closing connection\r\n"),
        ("imap", "* OK", "* BYE Disconnected for inactivity\r\n"),
        ("pop3", "+OK", "-ERR Disconnected for inactivity\r\n"),
    ]
    .into_iter()
    .enumerate()
    {
        let from = Ipv4Addr::new(127, 11, 0, u8::try_from(number + 1).expect("few"));
        let mut client = LineClient::connect_from(from, alb.address(protocol)).await;
        client.until(greeting).await;
        let line = drip(&alb, from, &mut client).await;
        assert!(line.contains("reason=\"idle\""), "{protocol}: {line}");
        assert_eq!(client.rest().await, told, "{protocol}");
        let from = Ipv4Addr::new(127, 11, 1, u8::try_from(number + 1).expect("few"));
        let at = alb.address(&format!("{protocol}_tls"));
        let mut client = LineClient::connect_from(from, at).await;
        // A record of TLCP that says it has 256 bytes.
        client.send(b"\x16\x01\x01\x01\x00\x01").await;
        assert_eq!(client.rest().await, "", "{protocol}");
    }
}

/// Sends a byte now and then until the log has the end of this client's session.
async fn drip(alb: &Alb, from: Ipv4Addr, client: &mut LineClient) -> String {
    let of_session = ["mail session ended", &format!("client={from}:")];
    let ended = alb.log().wait_for_all(&of_session);
    let dripping = async {
        let mut drip = tokio::time::interval(Duration::from_millis(100));
        loop {
            drip.tick().await;
            client.send("N").await;
        }
    };
    let either = async {
        tokio::select! {
            line = ended => line,
            () = dripping => unreachable!("it goes on"),
        }
    };
    within("the session to end", either).await
}

/// Postfix's own load generators, with a thousand messages in four sessions and one of 25 MiB.
#[tokio::test]
async fn a_thousand_small_messages_and_a_large_one_take_no_time_and_no_memory() {
    let pki = Pki::new();
    let sink = Reserved::v4();
    let mut command = Command::new("smtp-sink");
    command.args(["-u", "postfix", &sink.address().to_string(), "100"]);
    let _sink = Process::start("smtp-sink", &mut command);
    listening(sink.address()).await;
    let mx = Listener::new("mx", "smtp", "none", "sink")
        .table("[mail.smtp]\nmax_messages = 1000\nmx = { relay_domains = [\"gov.example\"] }");
    let alb = Alb::new().place("pki", &pki).place("sink", sink.address());
    let alb = alb
        .start(&format!(
            "{mx}{}[upstream.sink]\npeers = [\"$sink\"]\n",
            pki::IDENTITIES
        ))
        .await;
    let at = alb.address("mx").to_string();
    let send = |arguments: &'static str| {
        let at = at.clone();
        async move {
            let fixed = ["-f", "x@other.test", "-t", "bob@gov.example", &at];
            let arguments: Vec<&str> = arguments.split(' ').chain(fixed).collect();
            let output = tools::run("smtp-source", &arguments).await;
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    };
    send("-m 4 -s 4 -d").await;
    let before = alb.resident_memory();
    send("-m 1000 -s 4 -d -l 2000").await;
    send("-m 1 -l 26214400").await;
    let grown = alb.resident_memory().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
}

/// The end of a small message must not wait for the acknowledgement of what was sent before it (Nagle), on neither leg.
#[tokio::test]
async fn small_writes_leave_at_once_on_both_legs() {
    let pki = Pki::new();
    let (smtp, imap) = (LineServer::smtp(&[]).await, LineServer::imap(&[]).await);
    let config = format!(
        "{}{}{}[upstream.smtp]\npeers = [\"$at_smtp\"]\n[upstream.imap]\npeers = [\"$at_imap\"]\n",
        Listener::new("smtp", "smtp", "implicit", "smtp"),
        Listener::new("imap", "imap", "implicit", "imap"),
        pki::IDENTITIES
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("at_smtp", smtp.address())
        .place("at_imap", imap.address())
        .start(&config)
        .await;
    let mut mailbox = LineClient::secure(alb.address("imap"), &Offer::tlcp(&pki)).await;
    mailbox.until("* OK").await;
    mailbox.ask("a LOGIN alice right", "a OK").await;
    let mut sender = LineClient::secure(alb.address("smtp"), &Offer::tlcp(&pki)).await;
    sender.until("220").await;
    sender.ask("EHLO c.test", "250 ").await;
    sender
        .ask(&format!("AUTH PLAIN {}", plain("alice", "right")), "235")
        .await;
    let connections = connections(alb.process().pid());
    for server in [smtp.address(), imap.address()] {
        assert!(
            connections.contains(&(server, true)),
            "{server}: {connections:?}"
        );
    }
    let clients = connections
        .iter()
        .filter(|(peer, _)| *peer != smtp.address() && *peer != imap.address());
    assert_eq!(
        clients.map(|(_, at_once)| *at_once).collect::<Vec<_>>(),
        [true, true]
    );
}

/// Waits until somebody takes connections there.
async fn listening(address: SocketAddr) {
    let connected = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(&format!("somebody at {address}"), connected).await;
}

/// The timers before the login do not count after it, and what the server notices arrives while the client waits.
#[tokio::test]
async fn a_client_that_waits_is_told_of_new_mail_past_all_timers_but_its_own() {
    let pki = Pki::new();
    let dovecot = alb_compliance_tests::origin::Dovecot::start(&pki).await;
    let listener = |name: &str, idle: &str| {
        Listener::new(name, "imap", "implicit", "dovecot").with(&format!(
            "timeouts = {{ command = \"1s\", login = \"1s\", idle = \"{idle}\" }}"
        ))
    };
    let config = format!(
        "{}{}{}[upstream.dovecot]\npeers = [\"$dovecot\"]\n",
        listener("patient", "30s"),
        listener("short", "1s"),
        pki::IDENTITIES
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("dovecot", dovecot.imap())
        .start(&config)
        .await;
    let open = |name: &'static str, number| {
        let (alb, offer) = (&alb, Offer::tlcp(&pki));
        async move {
            let from = Ipv4Addr::new(127, 10, 0, number);
            let mut client = LineClient::connect_from(from, alb.address(name)).await;
            client.shake(&offer).await;
            client.until("* OK").await;
            client
                .ask(
                    &format!("a AUTHENTICATE PLAIN {}", plain("alice", "se cret")),
                    "a OK",
                )
                .await;
            client
        }
    };
    let mut waiting = open("patient", 1).await;
    waiting.ask("b SELECT INBOX", "b OK").await;
    waiting.ask("c IDLE", "+ ").await;
    // Dovecot says so every second.
    for _ in 0..2 {
        waiting.until("* OK Still here").await;
    }
    let mut other = open("patient", 2).await;
    other
        .ask("b APPEND INBOX {14+}\r\nSubject: x\r\n\r\n", "b OK")
        .await;
    waiting.until("* 1 EXISTS").await;
    waiting.ask("DONE", "c OK").await;
    let mut silent = open("short", 3).await;
    assert_eq!(silent.rest().await, "");
    alb.wait_for_log("reason=\"idle\"").await;
}
