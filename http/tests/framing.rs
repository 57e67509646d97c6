//! What is refused on the wire of HTTP/1, and with which status. Every case here is one that intermediaries and
//! origins are known to read differently (RFC 9112 §11.2).

mod support;

use support::{Gateway, Origin, proxy_to, read_message, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What is wrong, the bytes, and the status.
const AMBIGUOUS: &[(&str, &str, u16)] = &[
    (
        "both length and encoding",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    (
        "bare LF after the request line",
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        400,
    ),
    (
        "bare LF after a field",
        "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        400,
    ),
    (
        "bare LF as the empty line",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
        400,
    ),
    (
        "bare CR in a field",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        400,
    ),
    (
        "folded field",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n",
        400,
    ),
    (
        "folded first field",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        400,
    ),
    (
        "two Hosts",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        400,
    ),
    ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
    ("empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
    (
        "Host with userinfo",
        "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n",
        400,
    ),
    ("Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    (
        "two lengths, equal",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        400,
    ),
    (
        "length list",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx",
        400,
    ),
    (
        "signed length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx",
        400,
    ),
    (
        "empty length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx",
        400,
    ),
    (
        "space before the colon",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc",
        400,
    ),
    (
        "tab before the colon",
        "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
        400,
    ),
    (
        "no colon",
        "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
        400,
    ),
    (
        "NUL in a value",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        400,
    ),
    (
        "NUL in the target",
        "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "other coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "disguised coding",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "two codings",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    (
        "coding in 1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("no version", "GET /\r\nHost: a\r\n\r\n", 400),
    ("other version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    (
        "lower-case version",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    ("fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (
        "target without slash",
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
    ),
    (
        "target and Host differ",
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
        400,
    ),
];

#[test]
fn ambiguous_heads_are_refused_and_never_reach_the_origin() {
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        for (name, bytes, status) in AMBIGUOUS {
            let response = gateway.send(bytes).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{name}: {response}"
            );
            assert!(
                response.contains("connection: close\r\n"),
                "{name}: {response}"
            );
        }
        assert!(origin.requests.borrow().is_empty());
    });
}

#[test]
fn broken_chunks_are_refused() {
    let cases = [
        "x\r\n\r\n",
        "-1\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "ffffffffffffffff\r\na",
        "1;\0\r\na\r\n0\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n\r\n",
    ];
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        for body in cases {
            let response = gateway
                .send(format!(
                    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
                ))
                .await;
            assert!(
                response.starts_with("HTTP/1.1 400 "),
                "{body:?}: {response}"
            );
        }
        assert!(
            origin.requests.borrow().is_empty(),
            "{:?}",
            origin.requests.borrow()
        );
    });
}

#[test]
fn what_is_too_large_has_its_own_status() {
    run(async {
        let gateway = Gateway::start(
            "[[http]]\nname = \"web\"\nlisten = [\"127.0.0.1:1\"]\nmax_request_line = \"1KiB\"\nmax_header_size = \"8KiB\"\nmax_headers = 10\n\
             [[site]]\n[[site.route]]\nreturn = 204\n",
        )
        .await;
        let long = "x".repeat(1100);
        let many = "X: y\r\n".repeat(11);
        for (head, status) in [
            (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
            (
                format!(
                    "GET / HTTP/1.1\r\nHost: a\r\nA: {long}\r\nB: {long}{long}{long}{long}{long}{long}{long}\r\n\r\n"
                ),
                431,
            ),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_owned(),
                204,
            ),
        ] {
            let response = gateway.send(head).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{response}"
            );
        }
    });
}

#[test]
fn pipelined_requests_are_answered_in_order_whatever_the_cuts() {
    let stream = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
                  \r\nPOST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nwxyzGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    run(async {
        let origin = Origin::start(|request| {
            let path = request.split(' ').nth(1).expect("a path").to_owned();
            format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{path}").into_bytes()
        })
        .await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        for cut in [1, 2, 3, 7, 50, stream.len()] {
            let mut client = gateway.connect().await;
            client.set_nodelay(true).expect("a socket");
            for piece in stream.as_bytes().chunks(cut) {
                client.write_all(piece).await.expect("sent");
                tokio::task::yield_now().await;
            }
            let received = support::read_to_end(&mut client).await;
            let order: Vec<usize> = ["/1", "/2", "/3", "/4"]
                .iter()
                .filter_map(|p| received.find(&format!("\r\n\r\n{p}")))
                .collect();
            assert!(
                order.len() == 4 && order.is_sorted(),
                "cut {cut}: {received}"
            );
        }
    });
}

#[test]
fn the_client_hears_100_continue_only_when_its_body_is_wanted() {
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let mut client = gateway.connect().await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        client.write_all(head.as_bytes()).await.expect("sent");
        let mut interim = [0; 25];
        client
            .read_exact(&mut interim)
            .await
            .expect("an interim response");
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"abc").await.expect("sent");
        assert!(
            read_message(&mut client, &mut Vec::new())
                .await
                .expect("a response")
                .starts_with("HTTP/1.1 200 OK")
        );
        assert!(origin.request().ends_with("\r\n\r\nabc") && !origin.request().contains("expect"));

        let refused = gateway.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n").await;
        assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    });
}
