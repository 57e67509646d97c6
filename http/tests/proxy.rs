//! What a peer receives, what a client gets back, and what happens when a peer fails.

mod support;

use support::{Gateway, Origin, proxy_to, run};
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
