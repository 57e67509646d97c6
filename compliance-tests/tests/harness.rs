//! The harness itself: its origins and clients without `alb` between them.

use alb_compliance_tests::client::raw;
use alb_compliance_tests::origin::{
    Echo, GrpcServer, Nginx, Script, Version, grpc, websocket_echo,
};
use alb_compliance_tests::{Client, Speak, payload, tools};
use futures_util::{SinkExt, StreamExt};
use http::Request;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn an_echo_origin_says_what_it_saw() {
    for (version, speak) in [
        (Version::Http1, Speak::Http1),
        (Version::Http2, Speak::Http2),
    ] {
        let origin = Echo::start_on("one", version, ([127, 0, 0, 1], 0).into()).await;
        let mut client = Client::plain(origin.address(), speak).await;
        let answer = client
            .send(
                Request::post("/a?b").header("x-c", "d"),
                payload::full("four"),
            )
            .await;
        assert_eq!(
            answer.json()["target"]
                .as_str()
                .map(|target| target.ends_with("/a?b")),
            Some(true)
        );
        assert_eq!(answer.json()["length"], 4);
        assert_eq!(answer.seen("x-c"), ["d"]);
        let trailers = Request::get("/trailers").header("te", "trailers");
        assert_eq!(
            client.send(trailers, payload::empty()).await.trailers["x-checksum"],
            "abc"
        );
        assert_eq!(client.get("/bytes/100000").await.body.len(), 100_000);
        assert_eq!((origin.requests(), origin.connections()), (3, 1));
    }
}

#[tokio::test]
async fn nginx_serves_what_is_published() {
    let nginx = Nginx::start("root html;").await;
    nginx.publish("file.txt", "content");
    assert_eq!(
        tools::curl(&[&format!("http://{}/file.txt", nginx.address())]).await,
        "content"
    );
    let socket = nginx.unix_socket().display().to_string();
    assert_eq!(
        tools::curl(&["--unix-socket", &socket, "http://x/file.txt"]).await,
        "content"
    );
    let url = format!("http://{}/file.txt", nginx.address());
    let load = tools::h2load(&["--h1", "-n", "100", "-c", "2", &url]).await;
    assert_eq!((load.succeeded, load.failed), (100, 0));
}

#[tokio::test]
async fn a_websocket_origin_echoes() {
    let origin = websocket_echo().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{}/", origin.address()))
        .await
        .expect("a WebSocket");
    socket.send("hello".into()).await.expect("sent");
    assert_eq!(
        socket
            .next()
            .await
            .expect("a message")
            .expect("no error")
            .to_text()
            .expect("text"),
        "hello"
    );
}

#[tokio::test]
async fn a_grpc_server_answers() {
    let server = GrpcServer::start().await;
    let program = format!(
        "import grpc; c = grpc.insecure_channel('{}'); print(c.unary_unary('/test.Echo/Unary')(b'hi'))",
        server.address()
    );
    let output = tools::finish(grpc::python(&program)).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "b'hi'");
}

#[tokio::test]
async fn a_script_speaks_any_bytes() {
    let origin = Script::start(|mut stream| async move {
        stream
            .write_all(b"nonsense")
            .await
            .expect("a peer that reads");
    })
    .await;
    assert_eq!(raw::exchange(origin.address(), "").await, "nonsense");
    assert_eq!(origin.connections(), 1);
}
