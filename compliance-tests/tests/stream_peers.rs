//! The peers of a stream: others are tried, none gets more than its share, over IPv4 and IPv6; and what the log says of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use alb_compliance_tests::address::nobody;
use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::origin::Script;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Offer, Pki, SessionLog, Speak, stopwatch::within};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Says everything back, and then ends.
async fn echo() -> Script {
    Script::start(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

/// Two workers, a JSON log; `more` are keys of the stream, `upstream` are those of the upstream and what follows it.
fn configuration(more: &str, upstream: &str) -> String {
    format!(
        "[daemon]\nworkers = 2\ndrain_timeout = \"500ms\"\n[log.access]\nformat = \"json\"\nfile = \"$log\"\n\
         [[stream]]\nname = \"s\"\nlisten = [\"$in\"]\nupstream = \"u\"\n{more}\n[upstream.u]\n{upstream}\n"
    )
}

/// Peers come in turn for each worker.
fn one_worker(text: &str) -> String {
    text.replace("workers = 2", "workers = 1")
}

/// The sessions, once the daemon has ended.
async fn sessions(log: &SessionLog, alb: &Alb) -> Vec<Value> {
    alb.counters().await;
    let lines = log.lines();
    let parsed = lines.iter().map(|line| serde_json::from_str(line));
    parsed.map(|line| line.expect("JSON")).collect()
}

async fn exchange(to: SocketAddr, words: &str) -> Vec<u8> {
    let mut raw = Raw::connect(to).await;
    raw.write(words).await;
    raw.finish().await;
    raw.read_to_end().await
}

#[tokio::test]
async fn a_peer_has_never_more_sessions_than_its_max_conns_over_all_workers() {
    let echo = echo().await;
    let log = SessionLog::new();
    let alb = Alb::new()
        .place("peer", echo.address())
        .place("log", &log)
        .start(&configuration(
            "",
            "peers = [{ address = \"$peer\", max_conns = 5 }]",
        ))
        .await;
    let mut held = Vec::new();
    let mut turned_away = 0;
    for _ in 0..12 {
        let mut stream = Raw::connect(alb.address("in")).await.into_inner();
        let _ = stream.write_all(b"?").await;
        let mut byte = [0];
        match within("an answer or the end", stream.read_exact(&mut byte)).await {
            Ok(_) => held.push(stream),
            Err(_) => turned_away += 1,
        }
    }
    assert_eq!((held.len(), turned_away, echo.connections()), (5, 7, 5));
    let mut last = held.pop().expect("a session");
    last.shutdown().await.expect("ended");
    let mut rest = Vec::new();
    within("the end", last.read_to_end(&mut rest))
        .await
        .expect("the end");
    // Only now it has let go of the peer.
    log.wait_for("\"why\":\"closed\"").await;
    assert_eq!(exchange(alb.address("in"), "x").await, b"x");
    let sessions = sessions(&log, &alb).await;
    let refused = sessions.iter().filter(|one| one["why"] == "no live peer");
    assert_eq!(refused.count(), 7);
}

/// A server whose queue is full: connecting to it hangs.
struct Deaf {
    address: SocketAddr,
    _listener: Socket,
    _queued: Vec<TcpStream>,
}

impl Deaf {
    async fn start() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        socket.bind(&any.into()).expect("bound");
        socket.listen(0).expect("listening");
        let address = socket.local_addr().expect("an address");
        let address = address.as_socket().expect("an IP address");
        let mut queued = Vec::new();
        let patience = Duration::from_millis(200);
        while let Ok(one) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
            queued.push(one.expect("a connection"));
        }
        Deaf {
            address,
            _listener: socket,
            _queued: queued,
        }
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_in_time_is_passed_over_and_the_log_names_every_try() {
    let (deaf, gone, echo, log) = (
        Deaf::start().await,
        nobody(),
        echo().await,
        SessionLog::new(),
    );
    let alb = Alb::new()
        .place("deaf", deaf.address)
        .place("gone", gone.address())
        .place("echo", echo.address())
        .place("log", &log)
        .start(&one_worker(&configuration(
            "",
            "peers = [\"$deaf\", \"$gone\", \"$echo\"]\nconnect_timeout = \"300ms\"\nretry = { tries = 3, within = \"10s\" }\n\
             max_fails = 0",
        )))
        .await;
    // Each is the first choice of one of three in a row.
    for _ in 0..3 {
        let begun = Instant::now();
        assert_eq!(exchange(alb.address("in"), "x").await, b"x");
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
    let sessions = sessions(&log, &alb).await;
    let mut failures = Vec::new();
    for session in &sessions {
        let tries = session["upstream"].as_array().expect("tries");
        let (last, failed) = tries.split_last().expect("a try");
        assert_eq!(last["address"], echo.address().to_string());
        assert!(last.get("failed").is_none());
        failures.extend(failed.iter().map(|one| {
            let kind = one["failed"].as_str().expect("a reason").to_owned();
            (
                one["address"].as_str().expect("an address").to_owned(),
                kind,
            )
        }));
    }
    for (address, kind) in [
        (deaf.address, "connecting timed out"),
        (gone.address(), "cannot connect"),
    ] {
        assert!(
            failures.contains(&(address.to_string(), kind.to_owned())),
            "{failures:?}"
        );
    }
}

#[tokio::test]
async fn without_a_retry_the_first_failure_ends_the_session() {
    let (gone, echo, log) = (nobody(), echo().await, SessionLog::new());
    let alb = Alb::new()
        .place("gone", gone.address())
        .place("echo", echo.address())
        .place("log", &log)
        .start(&configuration(
            "",
            "peers = [\"$gone\", { address = \"$echo\", backup = true }]\nretry = { tries = 1 }\nmax_fails = 0",
        ))
        .await;
    assert_eq!(exchange(alb.address("in"), "x").await, b"");
    assert_eq!(echo.connections(), 0);
}

#[tokio::test]
async fn either_family_reaches_either_from_the_addresses_given() {
    for (inward, outward, bind) in [
        ("127.0.0.1", "::1", "::1"),
        ("::1", "127.0.0.1", "127.0.0.9"),
        ("::1", "::1", "::1"),
    ] {
        let ip = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let server = TcpListener::bind((ip(outward), 0)).await.expect("a port");
        let peer = server.local_addr().expect("an address");
        let free = TcpListener::bind((ip(inward), 0)).await.expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let log = SessionLog::new();
        let alb = Alb::new()
            .place("peer", peer)
            .place("in", address)
            .place("log", &log)
            .start(&configuration(
                "",
                &format!("peers = [\"$peer\"]\nbind = [\"{bind}\"]"),
            ))
            .await;
        let asked = tokio::spawn(async move { exchange(address, "words").await });
        let (mut stream, from) = within("a connection", server.accept())
            .await
            .expect("a connection");
        assert_eq!(from.ip(), ip(bind));
        let mut words = Vec::new();
        stream.read_to_end(&mut words).await.expect("words");
        stream.write_all(&words).await.expect("written");
        drop(stream);
        assert_eq!(asked.await.expect("no panic"), b"words");
        drop(alb);
    }
}

/// Takes out what no test can foresee, which must be there.
fn settled(mut session: Value) -> Value {
    let object = session.as_object_mut().expect("an object");
    assert!(object.remove("time").is_some_and(|time| time.is_string()));
    assert!(object.remove("seconds").is_some_and(|s| s.is_f64()));
    for one in object["upstream"].as_array_mut().expect("tries") {
        let one = one.as_object_mut().expect("a try");
        assert!(one.remove("seconds").is_some_and(|s| s.is_f64()));
    }
    session
}

#[tokio::test]
async fn the_log_has_every_fact_of_a_session_under_tlcp() {
    let (pki, echo, log) = (Pki::new(), echo().await, SessionLog::new());
    let toml = configuration(
        "tls = { identities = [\"gm\"], client_auth = { mode = \"required\", ca = [\"$pki/gm-ca.pem\"] } }",
        "peers = [\"$peer\"]",
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("peer", echo.address())
        .place("log", &log)
        .start(&format!("{toml}{IDENTITIES}"))
        .await;
    let to = alb.address("in");
    let offer = Offer::tlcp(&pki)
        .pair(&pki, "client")
        .server_name("gm.test");
    let mut stream = offer.connect(to, Speak::Http1).await.expect("a handshake");
    let client = stream.get_ref().local_addr().expect("an address");
    stream.write_all(b"some words").await.expect("written");
    stream.shutdown().await.expect("ended");
    let mut answer = Vec::new();
    within("an answer", stream.read_to_end(&mut answer))
        .await
        .expect("an answer");
    assert_eq!(answer, b"some words");
    let sessions = sessions(&log, &alb).await;
    let mut session = settled(sessions[0].clone());
    let subject = session["tls_client"].take();
    assert!(
        subject.as_str().is_some_and(|s| s.contains("alice")),
        "{subject}"
    );
    let expected = json!({
        "stream": "tcp", "listener": "s", "client": client.to_string(), "local": to.to_string(), "upstream_name": "u",
        "received": 10, "sent": 10, "ended_by": "client", "why": "closed", "tls_protocol": "TLCPv1.1",
        "tls_suite": "ECC_SM4_GCM_SM3", "tls_sni": "gm.test", "tls_resumed": false, "tls_client": null,
        "upstream": [{ "address": echo.address().to_string() }],
    });
    assert_eq!(session, expected);
}

#[tokio::test]
async fn a_session_that_outlasts_the_drain_is_ended_and_has_its_line() {
    let (echo, log) = (echo().await, SessionLog::new());
    let alb = Alb::new()
        .place("peer", echo.address())
        .place("log", &log)
        .start(&configuration("", "peers = [\"$peer\"]"))
        .await;
    let mut stream = Raw::connect(alb.address("in")).await.into_inner();
    stream.write_all(b"before").await.expect("written");
    let mut seen = [0; 6];
    within("an answer", stream.read_exact(&mut seen))
        .await
        .expect("an answer");
    alb.signal(Signal::SIGQUIT);
    alb.wait_for_log("leaving when the open connections").await;
    // Until the time is over the session goes on.
    stream.write_all(b"during").await.expect("written");
    within("an answer", stream.read_exact(&mut seen))
        .await
        .expect("an answer");
    assert_eq!(&seen, b"during");
    let mut rest = Vec::new();
    let _ = within("the end", stream.read_to_end(&mut rest)).await;
    let sessions = sessions(&log, &alb).await;
    let [session] = &sessions[..] else {
        panic!("{sessions:?}");
    };
    for (key, value) in [
        ("ended_by", json!("gateway")),
        ("why", json!("leaving")),
        ("received", json!(12)),
        ("sent", json!(12)),
    ] {
        assert_eq!(session[key], value, "{session}");
    }
}
