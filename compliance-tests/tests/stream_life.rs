//! What happens to the sessions of a stream when the configuration is reloaded, peers die, clients do not read, and
//! listeners go.

use std::net::SocketAddr;
use std::time::Duration;

use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::origin::Script;
use alb_compliance_tests::{Alb, stopwatch::within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Says its name in front of everything it says back.
async fn echo(name: u8) -> Script {
    Script::start(move |mut stream| async move {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            let mut reply = vec![name];
            reply.extend_from_slice(&buffer[..count]);
            if stream.write_all(&reply).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// Asks on an open session; the name of who answers, if anybody does.
async fn ask(stream: &mut TcpStream) -> Option<u8> {
    stream.write_all(b"?").await.ok()?;
    let mut reply = [0; 2];
    let read = within("an answer", stream.read_exact(&mut reply)).await;
    read.ok().map(|_| reply[0])
}

async fn connect(to: SocketAddr) -> TcpStream {
    let stream = within("a connection", TcpStream::connect(to)).await;
    stream.expect("a connection")
}

fn configuration(idle: &str, peers: &str) -> String {
    format!(
        "[daemon]\nworkers = 2\ndrain_timeout = \"500ms\"\n[[stream]]\nname = \"s\"\nlisten = [\"$in\"]\nupstream = \"e\"\n\
         idle_timeout = \"{idle}\"\n[upstream.e]\npeers = [{peers}]\nmax_fails = 1\n"
    )
}

#[tokio::test]
async fn reloads_during_a_thousand_sessions_lose_none() {
    let echo = echo(b'1').await;
    let alb = Alb::new()
        .place("one", echo.address())
        .start(&configuration("1m", "\"$one\""))
        .await;
    let mut sessions = Vec::new();
    for _ in 0..1000 {
        sessions.push(connect(alb.address("in")).await);
    }
    for idle in ["2m", "3m", "4m"] {
        for session in &mut sessions {
            assert_eq!(ask(session).await, Some(b'1'));
        }
        alb.rewrite(&configuration(idle, "\"$one\""));
        alb.reload().await.expect("a configuration that is right");
    }
    for session in &mut sessions {
        assert_eq!(ask(session).await, Some(b'1'));
    }
    assert_eq!(echo.connections(), 1000);
}

#[tokio::test]
async fn a_peer_that_dies_takes_only_its_own_sessions_and_new_ones_go_elsewhere() {
    let (one, two) = (echo(b'1').await, echo(b'2').await);
    let alb = Alb::new()
        .place("one", one.address())
        .place("two", two.address())
        .start(&configuration("1m", "\"$one\", \"$two\""))
        .await;
    let mut sessions = Vec::new();
    for _ in 0..40 {
        let mut session = connect(alb.address("in")).await;
        let name = ask(&mut session).await.expect("an answer");
        sessions.push((session, name));
    }
    assert!(sessions.iter().any(|(_, name)| *name == b'1'));
    drop(one);
    for (session, name) in &mut sessions {
        let answer = ask(session).await;
        assert_eq!(answer, Some(*name).filter(|name| *name == b'2'));
    }
    for _ in 0..40 {
        assert_eq!(ask(&mut connect(alb.address("in")).await).await, Some(b'2'));
    }
}

#[tokio::test]
async fn a_listener_that_goes_lets_its_sessions_finish_until_the_drain_is_over() {
    let echo = echo(b'1').await;
    let alb = Alb::new()
        .place("one", echo.address())
        .start(&configuration("1m", "\"$one\""))
        .await;
    let mut session = connect(alb.address("in")).await;
    assert_eq!(ask(&mut session).await, Some(b'1'));
    let other = configuration("1m", "\"$one\"")
        .replace("$in", "$elsewhere")
        .replace("\"s\"", "\"t\"");
    alb.rewrite(&other);
    alb.reload().await.expect("a configuration that is right");
    assert_eq!(
        ask(&mut session).await,
        Some(b'1'),
        "a session that is not over"
    );
    let mut rest = Vec::new();
    let _ = within("the end of the drain", session.read_to_end(&mut rest)).await;
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_client_that_breaks_off_is_not_taken_for_one_that_has_finished() {
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let server = Script::start(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut seen = Vec::new();
            let result = stream
                .read_to_end(&mut seen)
                .await
                .map_err(|error| error.kind());
            let _ = tell.send(result).await;
        }
    })
    .await;
    let alb = Alb::new()
        .place("one", server.address())
        .start(&configuration("1m", "\"$one\""))
        .await;
    let mut session = connect(alb.address("in")).await;
    session.write_all(b"half of").await.expect("written");
    session.set_zero_linger().expect("an option");
    drop(session);
    let result = within("the server to see the end", told.recv())
        .await
        .expect("an end");
    assert_eq!(result, Err(std::io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn a_session_in_which_nothing_moves_is_ended() {
    let echo = echo(b'1').await;
    let alb = Alb::new()
        .place("one", echo.address())
        .start(&configuration("300ms", "\"$one\""))
        .await;
    let mut raw = Raw::connect(alb.address("in")).await;
    raw.write("?").await;
    assert_eq!(raw.read_to_end().await, b"1?");
}

#[tokio::test]
async fn clients_that_do_not_read_hold_a_buffer_each_and_no_more() {
    const SESSIONS: u64 = 200;
    let flood = Script::start(|mut stream| async move {
        let chunk = vec![7; 64 * 1024];
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let alb = Alb::new()
        .place("one", flood.address())
        .start(&configuration("1m", "\"$one\""))
        .await;
    let before = alb.resident_memory();
    let mut stalled = Vec::new();
    for _ in 0..SESSIONS {
        stalled.push(connect(alb.address("in")).await);
    }
    // Every session is full when its client finds something to read and the daemon is at rest.
    for session in &mut stalled {
        within("bytes to read", session.readable())
            .await
            .expect("a connection");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let each = alb.resident_memory().saturating_sub(before) / SESSIONS;
    assert!(
        each < 48 * 1024,
        "{each} bytes for a session with a full buffer"
    );
}
