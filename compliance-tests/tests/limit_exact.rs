//! Limits hold to the last request with any number of workers, for HTTP/2 streams, and through a flood of keys.

use std::net::SocketAddr;
use std::ops::Range;

use alb_compliance_tests::client::raw::{self, Raw};
use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Client, Speak, payload, tools};
use http::Request;

const COUNTED: &str = r#"
    [daemon]
    workers = $workers
    [[http]]
    listen = ["$web"]
    [[site]]
    [[site.route]]
    path = "/period"
    return = 200
    limits = ["period"]
    [[site.route]]
    path = "/rate"
    return = 200
    limits = ["rate"]
    [limit.period]
    requests = 400
    per = "1h"
    [limit.rate]
    key = "all"
    rate = "1/m"
    burst = 300
    nodelay = true
"#;

#[tokio::test]
async fn as_many_pass_with_four_workers_as_with_one() {
    for workers in [1, 4] {
        let alb = Alb::new().place("workers", workers).start(COUNTED).await;
        for (path, expected) in [("period", 400), ("rate", 301)] {
            let url = format!("http://{}/{path}", alb.address("web"));
            let load = tools::h2load(&["-n", "1500", "-c", "16", "-m", "8", &url]).await;
            assert_eq!(
                load.succeeded, expected,
                "{path} with {workers} workers: {load:?}"
            );
        }
    }
}

const AT_ONCE: &str = r#"
    [daemon]
    workers = $workers
    [[http]]
    listen = ["$web"]
    [[site]]
    [[site.route]]
    path = "/"
    proxy = "app"
    limits = ["at-once"]
    [[site.route]]
    path = "/free/"
    proxy = "app"
    [upstream.app]
    peers = ["$origin"]
    [limit.at-once]
    connections = 3
"#;

#[tokio::test]
async fn each_stream_of_http_2_counts_and_a_cancelled_one_no_more() {
    let origin = Echo::start("one").await;
    for workers in [1, 4] {
        let setup = Alb::new()
            .place("origin", origin.address())
            .place("workers", workers);
        let alb = setup.start(AT_ONCE).await;
        let mut client = Client::plain(alb.address("web"), Speak::Http2).await;
        let seen = origin.requests();
        let hanging: Vec<_> = (0..3)
            .map(|_| {
                let mut beside = client.beside();
                tokio::spawn(async move { beside.get("/hang").await })
            })
            .collect();
        // The origin has them, so they are counted.
        within("three requests at the origin", async {
            while origin.requests() < seen + 3 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(client.get("/").await.status, 429);
        let mut other = Client::plain(alb.address("web"), Speak::Http1).await;
        assert_eq!(
            other.get("/").await.status,
            429,
            "another connection, perhaps of another worker"
        );
        hanging.into_iter().for_each(|stream| stream.abort());
        within("cancelled streams to be over", async {
            while client.get("/").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // All three are: three more fit, and they are counted until their last byte has been read.
        let mut open = Vec::new();
        for _ in 0..3 {
            let request = Request::get("/bytes/3000000");
            let response = client
                .open(request, payload::empty())
                .await
                .expect("a head");
            assert_eq!(response.status(), 200);
            open.push(response);
        }
        assert_eq!(other.get("/").await.status, 429);
        drop(open);
        within("dropped responses to be over", async {
            while other.get("/").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_listener_counts_connections_before_anything_is_read() {
    let toml = r#"
        [daemon]
        workers = 4
        [[http]]
        listen = ["$web"]
        limits = ["at-once"]
        [[site]]
        [[site.route]]
        return = 200
        limits = ["at-once"]
        [limit.at-once]
        connections = 2
    "#;
    let alb = Alb::start(toml).await;
    let address = alb.address("web");
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = Client::plain(address, Speak::Http1).await;
        assert_eq!(client.get("/").await.status, 200);
        kept.push(client);
    }
    assert_eq!(
        Raw::connect(address).await.read_to_end().await,
        b"",
        "closed, and nothing said"
    );
    kept.clear();
    within("a place to be free", async {
        loop {
            let mut raw = Raw::connect(address).await;
            raw.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                .await;
            if !raw.read_to_end().await.is_empty() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_reload_keeps_what_has_been_counted() {
    let alb = Alb::new().place("workers", 2).start(COUNTED).await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    for _ in 0..5 {
        assert_eq!(client.get("/period").await.status, 200);
    }
    alb.rewrite(&COUNTED.replace("requests = 400", "requests = 6"));
    alb.reload().await.expect("reloaded");
    assert_eq!(client.get("/period").await.status, 200);
    assert_eq!(client.get("/period").await.status, 429);
}

#[tokio::test]
async fn a_flood_of_keys_takes_no_memory_and_frees_nobody() {
    let toml = r#"
        [daemon]
        workers = 2
        [[http]]
        listen = ["$web"]
        keepalive_requests = 1000000
        [[site]]
        [[site.route]]
        return = { status = 200, body = "x" }
        limits = ["keys"]
        [limit.keys]
        key = "header:x-key"
        rate = "1/m"
        entries = 1000
    "#;
    let alb = Alb::start(toml).await;
    let address = alb.address("web");
    let mut client = Client::plain(address, Speak::Http1).await;
    let mut limited = async || {
        let request = Request::get("/").header("x-key", "mine");
        client.send(request, payload::empty()).await.status == 429
    };
    assert!(!limited().await && limited().await);
    flood(address, 0..2_000).await;
    let before = alb.resident_memory();
    flood(address, 2_000..FLOOD).await;
    let grown = alb.resident_memory().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
    assert!(limited().await, "the flood freed a key under limit");
}

/// Requests of the flood; `core`'s own test sends a million.
const FLOOD: u32 = 40_000;

/// Sends a request for each key, many over one connection, without waiting for the answers one by one.
async fn flood(address: SocketAddr, keys: Range<u32>) {
    let keys: Vec<u32> = keys.collect();
    for some in keys.chunks(400) {
        let request = |key| format!("GET / HTTP/1.1\r\nhost: a\r\nx-key: flood-{key}\r\n\r\n");
        let mut requests: String = some.iter().map(request).collect();
        requests += "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answers = raw::exchange(address, requests).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), some.len() + 1);
    }
}

#[tokio::test]
async fn an_upgraded_connection_counts_until_it_is_closed() {
    let origin = alb_compliance_tests::origin::websocket_echo().await;
    let setup = Alb::new()
        .place("origin", origin.address())
        .place("workers", 1);
    let alb = setup
        .start(&AT_ONCE.replace("connections = 3", "connections = 1"))
        .await;
    let address = alb.address("web");
    let url = format!("ws://{address}/");
    let (socket, _) = within("an upgrade", tokio_tungstenite::connect_async(&url))
        .await
        .expect("a WebSocket");
    let mut client = Client::plain(address, Speak::Http1).await;
    assert_eq!(client.get("/").await.status, 429);
    drop(socket);
    within("the place to be free", async {
        loop {
            if tokio_tungstenite::connect_async(&url).await.is_ok() {
                break;
            }
        }
    })
    .await;
}
