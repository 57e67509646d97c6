//! TCP through a `[[stream]]`: bytes pass unchanged, ends pass through, and the log tells it.

use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::origin::Script;
use alb_compliance_tests::{Alb, SessionLog, stopwatch::within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Says everything back, and then ends.
async fn echo() -> Script {
    Script::start(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    })
    .await
}

const PLAIN: &str = r#"
    [log.access]
    file = "$access"
    [[stream]]
    name = "echo"
    listen = ["$in"]
    upstream = "echo"
    [upstream.echo]
    peers = ["$echo"]
"#;

#[tokio::test]
async fn a_client_that_ends_first_still_gets_its_answer_and_one_line() {
    let echo = echo().await;
    let log = SessionLog::new();
    let alb = Alb::new()
        .place("echo", echo.address())
        .place("access", &log)
        .start(PLAIN)
        .await;
    let mut client = Raw::connect(alb.address("in")).await;
    client.write("question").await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"question");
    let peer = echo.address();
    let line = log.wait_for("tcp").await;
    let told = format!("tcp \"echo\" upstream=echo peer={peer} received=8 sent=8 seconds=0.0");
    assert!(line.contains(&told), "{line}");
    assert!(line.ends_with("ended=client why=\"closed\""), "{line}");
}

#[tokio::test]
async fn a_server_that_ends_first_still_hears_the_client() {
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    let server = Script::start(move |mut stream| {
        let told = told.clone();
        async move {
            stream.write_all(b"greeting").await.expect("written");
            stream.shutdown().await.expect("ended");
            let mut seen = Vec::new();
            stream.read_to_end(&mut seen).await.expect("read");
            told.send(seen).await.expect("a test that waits");
        }
    })
    .await;
    let alb = Alb::new()
        .place("echo", server.address())
        .place("access", "/dev/null")
        .start(PLAIN)
        .await;
    let mut client = Raw::connect(alb.address("in")).await;
    assert_eq!(client.read_to_end().await, b"greeting");
    client.write("late words").await;
    client.finish().await;
    let seen = within("the server to hear the client", heard.recv()).await;
    assert_eq!(seen.expect("words"), b"late words");
}

#[tokio::test]
async fn a_peer_that_refuses_is_passed_over_and_no_peer_at_all_closes_the_client() {
    let echo = echo().await;
    let alb = Alb::new()
        .place("echo", echo.address())
        .start(
            r#"
            [[stream]]
            listen = ["$in"]
            upstream = "some"
            [[stream]]
            listen = ["$nowhere"]
            upstream = "none"
            [upstream.some]
            peers = ["$dead", "$echo"]
            [upstream.none]
            peers = ["$dead"]
            "#,
        )
        .await;
    for _ in 0..4 {
        let mut client = Raw::connect(alb.address("in")).await;
        client.write("x").await;
        client.finish().await;
        assert_eq!(client.read_to_end().await, b"x");
    }
    let mut client = Raw::connect(alb.address("nowhere")).await;
    assert_eq!(client.read_to_end().await, b"");
    let line = alb.wait_for_log("session not served").await;
    assert!(
        line.contains("upstream=\"none\"") && line.contains("help="),
        "{line}"
    );
}
