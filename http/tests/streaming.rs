//! Bodies on their way: too large, too slow, given up, or no longer HTTP.

mod support;

use support::{Gateway, Origin, proxy_to, read_message, read_to_end, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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
