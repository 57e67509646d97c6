//! A service behind `http`: what it says, and what becomes of it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A service that gives these answers, one per connection, in pieces of so many bytes; it tells the requests.
async fn service(answers: &[&str], piece: usize) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.expect("a request") > 0);
            }
            let _ = sender.send(String::from_utf8_lossy(&request).into_owned());
            for piece in answer.as_bytes().chunks(piece) {
                // The client may have seen enough.
                if stream.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    (address, receiver)
}

fn toml(service: SocketAddr) -> String {
    format!(
        r#"
        [mail_auth.a]
        http = {{ upstream = "service", path = "/auth", timeout = "5s", allowed_backends = ["10.0.0.0/24"] }}
        [upstream.service]
        peers = ["{service}"]
        [upstream.archive]
        peers = ["127.0.0.1:9"]
        "#
    )
}

async fn ask(answer: &str) -> Decision {
    let (address, _requests) = service(&[answer], usize::MAX).await;
    login(
        &build(&toml(address)).expect("an authenticator"),
        "zhang",
        "pw",
    )
    .await
}

const OK: &str = "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n";

#[tokio::test]
async fn it_names_the_server_and_the_password_for_it() {
    let who = accepted(ask(&format!("{OK}Auth-Server: 10.0.0.11\r\nAuth-Port: 143\r\nAuth-User: Z@X.cn\r\nAuth-Pass: other\r\n\r\n")).await);
    assert_eq!(
        who.server,
        Some("10.0.0.11:143".parse().expect("an address"))
    );
    assert_eq!(
        (who.user.as_str(), who.login.as_str()),
        ("Z@x.cn", "Z@X.cn")
    );
    assert!(who.password.is_some_and(|password| password.is(b"other")));
}

#[tokio::test]
async fn it_sends_nobody_where_nobody_may_go() {
    let reason = unavailable(
        ask(&format!(
            "{OK}Auth-Server: 127.0.0.1\r\nAuth-Port: 25\r\n\r\n"
        ))
        .await,
    );
    assert!(reason.contains("allowed_backends"), "{reason}");
    let reason = unavailable(
        ask(&format!(
            "{OK}Auth-Server: ::ffff:10.0.1.1\r\nAuth-Port: 25\r\n\r\n"
        ))
        .await,
    );
    assert!(reason.contains("allowed_backends"), "{reason}");
    let reason = unavailable(ask(&format!("{OK}Auth-Pool: elsewhere\r\n\r\n")).await);
    assert!(reason.contains("`elsewhere`"), "{reason}");
    let who = accepted(ask(&format!("{OK}Auth-Pool: archive\r\n\r\n")).await);
    assert_eq!(who.upstream.as_deref(), Some("archive"));
}

#[tokio::test]
async fn what_is_missing_or_odd_keeps_the_client_out() {
    for answer in [
        "HTTP/1.0 200 OK\r\nAuth-Server: 10.0.0.11\r\nAuth-Port: 143\r\n\r\n",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\nAuth-User: a\rb\r\n\r\n",
        "HTTP/1.0 200 OK\r\nAuth-Status: OK\r\n",
        "HTTP/1.0 500 No\r\n\r\n",
        "",
    ] {
        unavailable(ask(answer).await);
    }
    let huge = format!(
        "HTTP/1.0 200 OK\r\nX: {}\r\nAuth-Status: OK\r\n\r\n",
        "a".repeat(1 << 20)
    );
    unavailable(ask(&huge).await);
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_the_same_answer() {
    let answer = format!("{OK}Auth-Pool: archive\r\n\r\n");
    let (address, mut requests) = service(&[&answer], 1).await;
    let authenticator = build(&toml(address)).expect("an authenticator");
    let who = accepted(login(&authenticator, "zhang", "pw").await);
    assert_eq!(who.upstream.as_deref(), Some("archive"));
    let request = requests.recv().await.expect("a request");
    assert!(
        request.starts_with(
            "GET /auth HTTP/1.0\r\nHost: 127.0.0.1\r\nAuth-Method: plain\r\nAuth-User: zhang\r\n"
        ),
        "{request}"
    );
    assert!(
        request.contains("\r\nClient-IP: 192.0.2.7\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_refusal_with_a_wait_allows_another_try() {
    let refusal = refused(ask("HTTP/1.0 200 OK\r\nAuth-Status: Invalid login\r\n\r\n").await);
    assert!(refusal.close && refusal.rejected);
    assert_eq!(refusal.smtp_code.as_deref(), Some("535 5.7.0"));
    let refusal = refused(ask("HTTP/1.0 403 No\r\nAuth-Status: Later\r\nAuth-Wait: 3\r\nAuth-Error-Code: 454 4.7.0\r\n\r\n").await);
    assert!(!refusal.close);
    assert_eq!(
        (refusal.wait, refusal.text.as_deref()),
        (Duration::from_secs(3), Some("Later"))
    );
    assert_eq!(refusal.smtp_code.as_deref(), Some("454 4.7.0"));
}

#[tokio::test(start_paused = true)]
async fn wait_asks_again() {
    let answer = format!("{OK}Auth-Pool: archive\r\n\r\n");
    let wait = "HTTP/1.0 200 OK\r\nAuth-Status: WAIT\r\nAuth-Wait: 2\r\n\r\n";
    let (address, mut requests) = service(&[wait, &answer], usize::MAX).await;
    let authenticator = build(&toml(address)).expect("an authenticator");
    accepted(login(&authenticator, "zhang", "pw").await);
    let (first, second) = (requests.recv().await, requests.recv().await);
    assert!(first.is_some() && first == second);
}

#[tokio::test]
async fn another_peer_is_asked_when_one_is_gone() {
    let gone = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a socket")
        .local_addr()
        .expect("an address");
    let answer = format!("{OK}Auth-Pool: archive\r\n\r\n");
    let (address, _requests) = service(&[&answer, &answer], usize::MAX).await;
    let toml = toml(address).replace(
        &format!("\"{address}\""),
        &format!("\"{gone}\", \"{address}\""),
    );
    let authenticator = build(&toml).expect("an authenticator");
    for _ in 0..2 {
        accepted(login(&authenticator, "zhang", "pw").await);
    }
}

#[tokio::test]
async fn an_empty_name_is_no_other_name() {
    let who = accepted(ask(&format!("{OK}Auth-User: \r\n\r\n")).await);
    assert_eq!(who.login, "zhang");
}

/// A service that lets everybody in over connections that it keeps for two questions; it tells the number of the
/// connection that each came on.
async fn keeping_service() -> (SocketAddr, mpsc::UnboundedReceiver<u32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let address = listener.local_addr().expect("an address");
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            for _ in 0..2 {
                let mut request = Vec::new();
                while !request.ends_with(b"Connection: keep-alive\r\n\r\n") {
                    assert!(stream.read_buf(&mut request).await.expect("a request") > 0);
                }
                let answer = format!("{OK}Content-Length: 2\r\nConnection: keep-alive\r\n\r\nok");
                let answered = stream.write_all(answer.as_bytes()).await;
                answered.expect("a client that waits");
                let _ = sender.send(connection);
            }
        }
    });
    (address, receiver)
}

#[tokio::test]
async fn its_connections_are_used_again_until_it_closes_them() {
    let (address, mut connections) = keeping_service().await;
    let authenticator = build(&toml(address)).expect("an authenticator");
    for expected in [0, 0, 1, 1, 2] {
        accepted(login(&authenticator, "zhang", "pw").await);
        assert_eq!(connections.recv().await, Some(expected));
    }
}
