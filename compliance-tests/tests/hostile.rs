//! Peers that break the rules, on either side: nothing of it reaches anybody else.

use std::time::Instant;

use alb_compliance_tests::client::raw::{self, Raw};
use alb_compliance_tests::origin::{Echo, Script};
use alb_compliance_tests::{Alb, Client, Speak, payload};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONFIGURATION: &str = r#"
[daemon]
workers = 1
[[http]]
listen = ["$web"]
header_timeout = "400ms"
body_timeout = "400ms"
idle_timeout = "400ms"
[[site]]
route = [{ path = "/", proxy = "app" }]
[upstream.app]
peers = ["$origin"]
response_timeout = "400ms"
"#;

async fn gateway(origin: std::net::SocketAddr) -> Alb {
    Alb::new()
        .place("origin", origin)
        .start(CONFIGURATION)
        .await
}

/// Answers every request on every connection with the same bytes.
async fn origin_that_says(answer: &'static [u8]) -> Script {
    Script::start(move |mut stream| async move {
        while read_head(&mut stream).await {
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Reads up to the end of a request's head; false when the peer closes before.
async fn read_head(stream: &mut TcpStream) -> bool {
    let mut seen = Vec::new();
    let mut byte = [0];
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => seen.push(byte[0]),
            _ => return false,
        }
    }
    true
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_not_passed_on() {
    let answers: [(&str, &'static [u8]); 9] = [
        ("nonsense", b"\x16\x03\x01\x00\x05hello\r\n\r\n"),
        (
            "length and coding",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two lengths",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        ),
        (
            "a negative length",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        ),
        (
            "a fold",
            b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "NUL in a field",
            b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "a space before the colon",
            b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        ),
        (
            "no such status",
            b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "another protocol",
            b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
    ];
    for (name, answer) in answers {
        let origin = origin_that_says(answer).await;
        let alb = gateway(origin.address()).await;
        let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
        let answer = client.get("/").await;
        assert_eq!(answer.status, 502, "{name}");
        assert!(
            !answer.text().contains(&origin.address().to_string()),
            "{name} tells what is behind"
        );
    }
}

#[tokio::test]
async fn the_log_says_which_peer_failed_and_what_to_do_and_no_query() {
    let origin = origin_that_says(b"nonsense\r\n\r\n").await;
    let alb = gateway(origin.address()).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(client.get("/a?token=secret").await.status, 502);
    let line = alb.log().wait_for(0, "status=502").await;
    let peer = format!("peer=\"{}\"", origin.address());
    for said in ["upstream=\"app\"", &peer, "\"GET ", "/a\"", "help="] {
        assert!(line.contains(said), "{said} is not in: {line}");
    }
    assert!(!alb.log().text().contains("secret"));
}

#[tokio::test]
async fn what_follows_an_answer_is_never_the_answer_to_the_next_client() {
    let origin = origin_that_says(
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngoodHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    )
    .await;
    let alb = gateway(origin.address()).await;
    for _ in 0..20 {
        let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
        assert_eq!(client.get("/").await.text(), "good");
        assert_eq!(client.get("/").await.text(), "good");
    }
}

#[tokio::test]
async fn a_head_without_end_costs_the_origin_its_connection_not_the_gateway_its_memory() {
    let origin = Script::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream
            .write_all(b"X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")
            .await
            .is_ok()
        {}
    })
    .await;
    let alb = gateway(origin.address()).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(client.get("/").await.status, 502);
    assert!(alb.resident_memory() < 128 << 20);
}

#[tokio::test]
async fn an_answer_cut_short_is_cut_short_for_the_client_too() {
    let origin = Script::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            .await;
    })
    .await;
    let alb = gateway(origin.address()).await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        let answer = client.try_send(Request::get("/"), payload::empty()).await;
        assert!(answer.is_err(), "{speak:?}: taken for whole: {answer:?}");
    }
}

/// An origin may close an idle connection in the moment a request is sent on it; that is nobody's failure.
#[tokio::test]
async fn a_pooled_connection_that_the_origin_closed_fails_no_get() {
    let origin = Script::start(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
        // Takes the next request and hangs up.
        read_head(&mut stream).await;
    })
    .await;
    let alb = gateway(origin.address()).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    for _ in 0..20 {
        assert_eq!(client.get("/").await.text(), "ok");
    }
}

#[tokio::test]
async fn an_origin_that_does_not_answer_is_a_504() {
    let origin = Echo::start("origin").await;
    let alb = gateway(origin.address()).await;
    for speak in Speak::ALL {
        let mut client = Client::plain(alb.address("web"), speak).await;
        assert_eq!(client.get("/hang").await.status, 504, "{speak:?}");
        assert_eq!(
            client.get("/x").await.status,
            200,
            "{speak:?}: the connection is still good"
        );
    }
}

#[tokio::test]
async fn clients_that_dawdle_are_sent_away() {
    let origin = Echo::start("origin").await;
    let alb = gateway(origin.address()).await;
    let begun = Instant::now();
    for (name, bytes) in [
        ("nothing", ""),
        ("half a head", "GET / HTTP/1.1\r\nHost: x\r\n"),
        (
            "half a body",
            "POST /sink HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf",
        ),
        (
            "half a chunk",
            "POST /sink HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        ),
        ("half a preface", "PRI * HTTP/2.0\r\n"),
    ] {
        let answer = raw::exchange(alb.address("web"), bytes).await;
        assert!(!answer.contains(" 200 "), "{name}: {answer}");
    }
    let answer = raw::exchange(alb.address("web"), "GET /x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 200 "),
        "an idle connection is closed after its answer: {answer}"
    );
    assert!(
        begun.elapsed().as_secs() < 10,
        "it took {:?}",
        begun.elapsed()
    );
}

/// A client that sends its head byte by byte does not win time with every byte.
#[tokio::test]
async fn a_head_that_trickles_is_sent_away() {
    let origin = Echo::start("origin").await;
    let alb = gateway(origin.address()).await;
    let mut stream = Raw::connect(alb.address("web")).await.into_inner();
    let begun = Instant::now();
    let mut every = tokio::time::interval(std::time::Duration::from_millis(50));
    let mut answer = Vec::new();
    let trickle = async {
        loop {
            tokio::select! {
                _ = every.tick() => if stream.write_all(b"G").await.is_err() { break },
                read = stream.read_buf(&mut answer) => if matches!(read, Ok(0) | Err(_)) { break },
            }
        }
    };
    alb_compliance_tests::stopwatch::within("the end of a slow client", trickle).await;
    assert!(
        begun.elapsed().as_secs() < 5,
        "it took {:?}",
        begun.elapsed()
    );
    assert_eq!(origin.requests(), 0);
}
