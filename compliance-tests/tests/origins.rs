//! Real servers behind, real clients in front: nginx, curl, h2load, WebSocket, gRPC.

use alb_compliance_tests::origin::{Echo, GrpcServer, Nginx, Version, grpc, websocket_echo};
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Client, Offer, Pki, Speak, tools};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A plain and an encrypted listener in front of one upstream.
fn configuration(upstream: &str) -> String {
    format!(
        r#"
        {IDENTITIES}
        [[http]]
        listen = ["$plain"]
        [[http]]
        listen = ["$secure"]
        tls = {{ identities = ["tls", "gm"] }}
        [[site]]
        route = [{{ path = "/", proxy = "app" }}]
        [upstream.app]
        {upstream}
        "#
    )
}

#[tokio::test]
async fn curl_and_h2load_reach_nginx() {
    let pki = Pki::new();
    let nginx = Nginx::start("root html;").await;
    nginx.publish("file", "content");
    let alb = Alb::new()
        .place("pki", &pki)
        .place("origin", nginx.address())
        .start(&configuration(r#"peers = ["$origin"]"#))
        .await;
    let plain = format!("http://{}/file", alb.address("plain"));
    let secure = format!("https://localhost:{}/file", alb.address("secure").port());
    let ca = pki.path().join("ca.pem").display().to_string();
    for arguments in [
        &["--http1.1", &plain][..],
        &["--http2-prior-knowledge", &plain],
        &["--http1.1", "--cacert", &ca, &secure],
        &["--http2", "--tlsv1.3", "--cacert", &ca, &secure],
        &["--http2", "--tls-max", "1.2", "--cacert", &ca, &secure],
    ] {
        assert_eq!(tools::curl(arguments).await, "content", "{arguments:?}");
    }
    for arguments in [
        &["--h1", &plain][..],
        &[&plain],
        &["--h1", &secure],
        &[&secure],
    ] {
        let arguments = [&["-n", "2000", "-c", "8", "-m", "4"], arguments].concat();
        let load = tools::h2load(&arguments).await;
        assert_eq!((load.succeeded, load.failed), (2000, 0), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_unix_socket_and_ipv6_are_upstreams_too() {
    let nginx = Nginx::start("location / { return 200 'unix'; }").await;
    let echo = Echo::start_on("v6", Version::Http1, "[::1]:0".parse().expect("an address")).await;
    let alb = Alb::new()
        .place("socket", nginx.unix_socket().display())
        .place("v6", echo.address())
        .start(
            r#"
            [[http]]
            listen = ["$web"]
            [[site]]
            route = [{ path = "/unix", proxy = "unix" }, { path = "/v6", proxy = "v6" }]
            [upstream.unix]
            peers = ["unix:$socket"]
            [upstream.v6]
            peers = ["$v6"]
            "#,
        )
        .await;
    let mut client = Client::plain(alb.address("web"), Speak::Http1).await;
    assert_eq!(client.get("/unix").await.text(), "unix");
    assert_eq!(client.get("/v6").await.json()["origin"], "v6");
}

#[tokio::test]
async fn websockets_pass_nginx_and_every_kind_of_listener() {
    let pki = Pki::new();
    let origin = websocket_echo().await;
    let nginx = Nginx::start(&format!(
        "location / {{
           proxy_pass http://{};
           proxy_http_version 1.1;
           proxy_set_header Upgrade $http_upgrade;
           proxy_set_header Connection $connection_upgrade;
         }}",
        origin.address()
    ))
    .await;
    for upstream in [origin.address(), nginx.address()] {
        let alb = Alb::new()
            .place("pki", &pki)
            .place("origin", upstream)
            .start(&configuration(r#"peers = ["$origin"]"#))
            .await;
        let plain = TcpStream::connect(alb.address("plain"))
            .await
            .expect("a connection");
        echo_messages(plain).await;
        for offer in [Offer::tls(&pki), Offer::tlcp(&pki)] {
            let stream = offer.connect(alb.address("secure"), Speak::Http1).await;
            echo_messages(stream.expect("a handshake")).await;
        }
    }
}

/// Small and large messages, and a proper end.
async fn echo_messages(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut socket, response) = tokio_tungstenite::client_async("ws://localhost/chat", stream)
        .await
        .expect("a WebSocket");
    assert_eq!(response.status(), 101);
    for length in [1, 125, 126, 70_000, 1_000_000] {
        let message = tokio_tungstenite::tungstenite::Message::binary(vec![b'm'; length]);
        socket.send(message.clone()).await.expect("sent");
        assert_eq!(
            socket.next().await.expect("a message").expect("no error"),
            message
        );
    }
    socket.close(None).await.expect("a close");
}

const GRPC_CHECKS: &str = include_str!("grpc_client.py");

#[tokio::test]
async fn grpc_passes_in_clear_text_and_over_tls() {
    let pki = Pki::new();
    let server = GrpcServer::start().await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("origin", server.address())
        .start(&configuration("peers = [\"$origin\"]\nprotocol = \"h2\""))
        .await;
    let plain = alb.address("plain").to_string();
    let secure = format!("localhost:{}", alb.address("secure").port());
    let ca = pki.path().join("ca.pem").display().to_string();
    for arguments in [&[&plain][..], &[&secure, &ca]] {
        let mut command = grpc::python(GRPC_CHECKS);
        command.args(arguments);
        let output = tools::finish(command).await;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{arguments:?}: {said}\n{}",
            alb.log().text()
        );
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "all well");
    }
    server.wait_for("hang: cancelled").await;
}
