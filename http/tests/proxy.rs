//! What a peer receives, what a client gets back, and what happens when a peer fails.

mod support;

use support::{Gateway, Origin, proxy_to, read_message, read_to_end, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An address nobody listens on.
async fn nobody() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("its address")
}

#[test]
fn the_peer_is_told_who_the_client_is_and_the_client_cannot_lie_about_it() {
    run(async {
        let origin = Origin::greeting().await;
        let toml = format!(
            "[[site]]\n[[site.route]]\nproxy = \"app\"\nforwarded = [\"x-forwarded\", \"x-real-ip\", \"forwarded\"]\n\
             tls_headers = {{ X-Client-Subject = \"client_subject\" }}\n\
             request_headers = {{ set = {{ X-Department = \"finance\" }}, remove = [\"X-Debug\"] }}\n\
             [upstream.app]\npeers = [\"{}\"]\n",
            origin.address
        );
        let gateway = Gateway::start(&toml).await;
        let lies = "X-Forwarded-For: 1.1.1.1\r\nx_forwarded_for: 1.1.1.1\r\nX-Real-IP: 1.1.1.1\r\nX_REAL-ip: 1.1.1.1\r\n\
                    Forwarded: for=1.1.1.1\r\nX-Client-Subject: CN=root\r\nX_Client_Subject: CN=root\r\nX-Department: it\r\n\
                    X-Debug: 1\r\nX-Own_Field: kept\r\n";
        let response = gateway.get("/a?b=%20c", lies).await;
        assert!(response.ends_with("\r\n\r\nhello"), "{response}");
        let port = gateway.address.port();
        let request = origin.request();
        assert!(
            request.starts_with("GET /a?b=%20c HTTP/1.1\r\n"),
            "{request}"
        );
        for line in [
            "host: example.cn",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-proto: http",
            "x-forwarded-host: example.cn",
            &format!("x-forwarded-port: {port}"),
            "x-real-ip: 127.0.0.1",
            "forwarded: for=127.0.0.1;host=\"example.cn\";proto=http",
            "x-department: finance",
            "x-own_field: kept",
        ] {
            assert!(
                request.contains(&format!("\r\n{line}\r\n")),
                "{line} in {request}"
            );
        }
        for absent in ["1.1.1.1", "root", "x-debug", "x_", "connection"] {
            assert!(!request.contains(absent), "{absent} in {request}");
        }
    });
}

#[test]
fn hop_by_hop_fields_end_at_the_gateway_in_both_directions() {
    run(async {
        let origin = Origin::start(|_| {
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
              Server: secret/1.0\r\nX-End: 2\r\n\r\n"
                .to_vec()
        })
        .await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let fields = "Connection: X-Mine, Host\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nTE: trailers, gzip\r\nX-Mine-Too: 3\r\n";
        let response = gateway.get("/", fields).await;
        for absent in ["x-hop", "keep-alive", "secret"] {
            assert!(!response.contains(absent), "{absent} in {response}");
        }
        assert!(
            response.contains("x-end: 2\r\n") && response.contains("server: alb\r\n"),
            "{response}"
        );
        let request = origin.request();
        for absent in ["x-mine:", "keep-alive", "proxy-", "gzip"] {
            assert!(!request.contains(absent), "{absent} in {request}");
        }
        assert!(
            request.contains("host: example.cn\r\n") && request.contains("te: trailers\r\n"),
            "{request}"
        );
    });
}

#[test]
fn connections_to_a_peer_are_used_again() {
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        for _ in 0..5 {
            assert!(gateway.get("/", "").await.ends_with("hello"));
        }
        assert_eq!(
            (*origin.connections.borrow(), origin.requests.borrow().len()),
            (1, 5)
        );
    });
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    run(async {
        let origin = Origin::start(|_| {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n".to_vec()
        })
        .await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nwxyz\r\n0\r\nX-Check: 1\r\n\r\n";
        let response = gateway.send(request).await;
        assert!(
            response.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"),
            "{response}"
        );
        assert!(
            origin
                .request()
                .ends_with("\r\n\r\n4\r\nwxyz\r\n0\r\nx-check: 1\r\n\r\n"),
            "{}",
            origin.request()
        );
    });
}

#[test]
fn an_old_client_gets_the_body_up_to_the_close() {
    run(async {
        let origin = Origin::start(|_| {
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()
        })
        .await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let response = gateway.send("GET / HTTP/1.0\r\n\r\n").await;
        assert!(
            response.ends_with("\r\n\r\nabc") && !response.contains("chunked"),
            "{response}"
        );
    });
}

#[test]
fn a_head_request_has_no_body_and_keeps_its_length() {
    run(async {
        let origin =
            Origin::start(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".to_vec()).await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let response = gateway
            .send("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        assert!(
            response.contains("content-length: 500\r\n") && response.ends_with("\r\n\r\n"),
            "{response}"
        );
    });
}

#[test]
fn a_request_goes_to_another_peer_when_one_is_gone() {
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[nobody().await, origin.address], "")).await;
        for _ in 0..6 {
            assert!(gateway.get("/", "").await.ends_with("hello"));
        }
        let post = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
        assert!(
            gateway.send(post).await.ends_with("hello"),
            "nothing was sent to the one that is gone"
        );
    });
}

#[test]
fn what_may_have_been_done_is_not_done_again() {
    run(async {
        let broken = Origin::start(|_| Vec::new()).await;
        let origin = Origin::greeting().await;
        let peers = [broken.address, origin.address];
        let gateway = Gateway::start(&proxy_to(&peers, "max_fails = 0")).await;
        let mut failed = 0;
        for _ in 0..4 {
            let post =
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";
            failed += usize::from(gateway.send(post).await.starts_with("HTTP/1.1 502 "));
        }
        assert_eq!(
            (
                failed,
                broken.requests.borrow().len(),
                origin.requests.borrow().len()
            ),
            (2, 2, 2)
        );
        for _ in 0..4 {
            assert!(
                gateway.get("/", "").await.ends_with("hello"),
                "a GET is tried again"
            );
        }
    });
}

#[test]
fn listed_statuses_are_tried_elsewhere() {
    run(async {
        let ill =
            Origin::start(|_| b"HTTP/1.1 503 Ill\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
        let origin = Origin::greeting().await;
        let peers = [ill.address, origin.address];
        let retry = "retry = { tries = 2, on = [\"503\"] }";
        let gateway = Gateway::start(&proxy_to(&peers, retry)).await;
        for _ in 0..4 {
            assert!(gateway.get("/", "").await.ends_with("hello"));
        }
    });
}

#[test]
fn failures_have_their_status_and_say_nothing_of_what_is_behind() {
    run(async {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gone = nobody().await;
        let lying = Origin::start(|_| {
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_vec()
        })
        .await;
        for (peer, status) in [
            (gone, 502),
            (silent.local_addr().expect("its address"), 504),
            (lying.address, 502),
        ] {
            let gateway = Gateway::start(&proxy_to(&[peer], "response_timeout = \"1s\"")).await;
            let response = gateway.get("/", "Accept: text/html\r\n").await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status} ")),
                "{response}"
            );
            assert!(
                response.contains("content-type: text/html") && !response.contains("127.0.0.1"),
                "{response}"
            );
        }
    });
}

#[test]
fn a_grpc_client_gets_grpc_errors() {
    run(async {
        let gateway = Gateway::start(&proxy_to(&[nobody().await], "")).await;
        let response = gateway
            .get("/", "Content-Type: application/grpc+proto\r\n")
            .await;
        assert!(
            response.starts_with("HTTP/1.1 200 ") && response.contains("grpc-status: 14\r\n"),
            "{response}"
        );
    });
}

#[test]
fn a_body_that_grows_too_large_is_stopped_on_its_way() {
    run(async {
        let origin = Origin::greeting().await;
        let toml = format!(
            "[[site]]\n[[site.route]]\nproxy = \"app\"\nmax_body = 8\n[upstream.app]\npeers = [\"{}\"]\n",
            origin.address
        );
        let gateway = Gateway::start(&toml).await;
        let chunk = "5\r\nabcde\r\n";
        let response = gateway.send(format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
        assert!(origin.requests.borrow().is_empty());
    });
}

#[test]
fn a_websocket_opens_only_when_the_peer_agrees() {
    run(async {
        let origin = Origin::start(|request| match request.contains("/agree ") {
            true => b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwelcome".to_vec(),
            false => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno".to_vec(),
        })
        .await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        let ask = |path: &str| {
            format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n"
            )
        };
        let mut client = gateway.connect().await;
        // What follows the refusal is still HTTP: a smuggled request would come out of a tunnel opened too early.
        client
            .write_all(ask("/refuse").as_bytes())
            .await
            .expect("sent");
        let mut buffer = Vec::new();
        assert!(
            read_message(&mut client, &mut buffer)
                .await
                .expect("a response")
                .ends_with("no")
        );
        client
            .write_all(ask("/agree").as_bytes())
            .await
            .expect("sent");
        let head = read_message(&mut client, &mut buffer)
            .await
            .expect("a response");
        assert!(
            head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket\r\n"),
            "{head}"
        );
        while buffer.len() < 7 {
            client
                .read_buf(&mut buffer)
                .await
                .expect("what the peer says");
        }
        assert_eq!(buffer, b"welcome");
        client
            .write_all(b"GET /tunnelled HTTP/1.1\r\n\r\n")
            .await
            .expect("sent");
        assert!(
            read_message(&mut client, &mut Vec::new())
                .await
                .expect("the peer's answer")
                .ends_with("no")
        );
        assert!(origin.requests.borrow()[2].starts_with("GET /tunnelled HTTP/1.1\r\n\r\n"));
    });
}

#[test]
fn a_client_that_reads_slowly_does_not_fill_memory() {
    const SIZE: usize = 64 << 20;
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let written = std::rc::Rc::new(std::cell::Cell::new(0));
        let progress = std::rc::Rc::clone(&written);
        tokio::task::spawn_local(async move {
            let (mut stream, _) = listener.accept().await.expect("the gateway");
            read_message(&mut stream, &mut Vec::new()).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("sent");
            let piece = vec![7; 1 << 16];
            while progress.get() < SIZE && stream.write_all(&piece).await.is_ok() {
                progress.set(progress.get() + piece.len());
            }
        });
        let gateway = Gateway::start(&proxy_to(&[address], "")).await;
        let mut client = gateway.connect().await;
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .expect("sent");
        // When nothing moves any more, what is under way fits into the buffers of the kernel.
        let mut before = usize::MAX;
        while before != written.get() || before == 0 {
            before = written.get();
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(
            before < SIZE / 2,
            "{before} bytes were taken from the peer while the client read nothing"
        );
        let received = read_to_end(&mut client).await;
        assert!(received.len() > SIZE);
    });
}

#[test]
fn a_response_that_overtakes_its_request_arrives() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let gateway = Gateway::start(&proxy_to(&[address], "")).await;
        let mut client = gateway.connect().await;
        client
            .write_all(
                b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
            )
            .await
            .expect("sent");
        let (mut peer, _) = listener.accept().await.expect("the gateway");
        let mut seen = Vec::new();
        while !seen.ends_with(b"2\r\nab\r\n") {
            peer.read_buf(&mut seen).await.expect("the request so far");
        }
        peer.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n")
            .await
            .expect("sent");
        let mut received = Vec::new();
        while !received.ends_with(b"2\r\nxy\r\n") {
            client
                .read_buf(&mut received)
                .await
                .expect("the response so far");
        }
        // Both directions go on at once.
        client
            .write_all(b"3\r\ncde\r\n0\r\n\r\n")
            .await
            .expect("sent");
        while !seen.ends_with(b"3\r\ncde\r\n0\r\n\r\n") {
            peer.read_buf(&mut seen).await.expect("the rest");
        }
        peer.write_all(b"0\r\n\r\n").await.expect("sent");
        assert!(read_to_end(&mut client).await.ends_with("0\r\n\r\n"));
    });
}

#[test]
fn a_client_that_leaves_ends_its_request_at_the_peer() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let gateway = Gateway::start(&proxy_to(&[address], "")).await;
        for answer in ["", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let mut client = gateway.connect().await;
            client
                .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .await
                .expect("sent");
            let (mut peer, _) = listener.accept().await.expect("the gateway");
            read_message(&mut peer, &mut Vec::new())
                .await
                .expect("a request");
            peer.write_all(answer.as_bytes()).await.expect("sent");
            if !answer.is_empty() {
                read_message_head(&mut client).await;
            }
            drop(client);
            assert_eq!(read_to_end(&mut peer).await, "");
        }
    });
}

async fn read_message_head(client: &mut tokio::net::TcpStream) {
    let mut received = Vec::new();
    while !received.ends_with(b"\r\n\r\n") {
        client.read_buf(&mut received).await.expect("a head");
    }
}

#[test]
fn a_client_that_dawdles_is_told_so() {
    run(async {
        let origin = Origin::greeting().await;
        let toml = format!(
            "[[http]]\nname = \"web\"\nlisten = [\"127.0.0.1:1\"]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\n{}",
            proxy_to(&[origin.address], "")
        );
        let gateway = Gateway::start(&toml).await;
        for part in [
            "GET / HT",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
        ] {
            let response = gateway.send(part).await;
            assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
        }
    });
}

#[test]
fn an_old_request_without_host_reaches_the_peer_with_one() {
    run(async {
        let origin = Origin::greeting().await;
        let gateway = Gateway::start(&proxy_to(&[origin.address], "")).await;
        gateway.send("GET / HTTP/1.0\r\n\r\n").await;
        assert!(
            origin
                .request()
                .contains(&format!("host: {}\r\n", gateway.address))
        );
    });
}
