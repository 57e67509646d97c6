//! Tests of relays between TCP sockets, where the kernel moves the bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// Two ends of a connection, the second as the relay has it.
async fn connection() -> (TcpStream, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address");
    let near = TcpStream::connect(address).await.expect("connected");
    let (far, _) = listener.accept().await.expect("accepted");
    (near, Stream::Plain(far.into()))
}

/// The client's end, the peer's end, and the relay between them.
async fn session() -> (TcpStream, TcpStream, JoinHandle<(Ended, Relay)>) {
    let (client, mut to_client) = connection().await;
    let (upstream, mut to_upstream) = connection().await;
    let task = tokio::spawn(async move {
        let mut relay = Relay::new(Duration::from_secs(60), Arc::default());
        let ended = relay.run(&mut to_client, &mut to_upstream).await;
        (ended, relay)
    });
    (client, upstream, task)
}

fn pattern(seed: u32, length: u32) -> Vec<u8> {
    let number = |n: u32| n.wrapping_mul(0x9e37_79b9).wrapping_add(seed) >> 24;
    (0..length).map(|n| number(n) as u8).collect()
}

#[tokio::test]
async fn bulk_passes_both_ways_unchanged_and_is_counted() {
    let (client, upstream, task) = session().await;
    let (up, down) = (pattern(1, 40_000_003), pattern(2, 30_000_001));
    let exchange = async |mut socket: TcpStream, send: &[u8]| {
        let (mut read, mut write) = socket.split();
        let mut got = Vec::new();
        let written = async {
            write.write_all(send).await?;
            write.shutdown().await
        };
        let (written, read) = tokio::join!(written, read.read_to_end(&mut got));
        written.and(read).expect("carried");
        got
    };
    let (at_client, at_upstream) = tokio::join!(exchange(client, &up), exchange(upstream, &down));
    assert!((at_upstream, at_client) == (up, down));
    let (ended, relay) = task.await.expect("ended");
    assert_eq!(ended.why.as_str(), "closed");
    assert_eq!((relay.received(), relay.sent()), (40_000_003, 30_000_001));
    assert!(pipe::OPEN.get() > 0, "by way of pipes");
}

#[tokio::test]
async fn a_peer_that_stops_reading_stops_the_client_and_gets_everything_in_the_end() {
    let (client, mut upstream, task) = session().await;
    let (mut read, mut write) = client.into_split();
    let sent = pattern(3, 64 << 20);
    let expected = sent.clone();
    let mut writing = tokio::spawn(async move {
        write.write_all(&sent).await.expect("written");
        write.shutdown().await.expect("ended");
    });
    let stuck = tokio::time::timeout(Duration::from_millis(500), &mut writing).await;
    stuck.expect_err("64 MiB are more than sockets and a pipe hold");
    let mut got = Vec::new();
    upstream.read_to_end(&mut got).await.expect("read");
    assert!(got == expected);
    writing.await.expect("written");
    drop(upstream);
    assert_eq!(read.read(&mut [0]).await.expect("the end"), 0);
    let (ended, _) = task.await.expect("ended");
    assert_eq!((ended.by, ended.why.as_str()), (Side::Client, "closed"));
}

#[tokio::test]
async fn a_side_that_breaks_off_in_bulk_is_named() {
    for side in [Side::Client, Side::Upstream] {
        let (client, upstream, task) = session().await;
        let (mut sender, receiver) = match side {
            Side::Client => (upstream, client),
            _ => (client, upstream),
        };
        let chunk = pattern(4, 1 << 20);
        for _ in 0..2 {
            sender.writable().await.expect("open");
            let _ = sender.try_write(&chunk);
        }
        let socket = socket2::SockRef::from(&receiver);
        socket.set_linger(Some(Duration::ZERO)).expect("set");
        drop(receiver);
        while sender.write_all(&chunk).await.is_ok() {
            if task.is_finished() {
                break;
            }
        }
        let (ended, _) = task.await.expect("ended");
        assert_eq!((ended.by, ended.why.as_str()), (side, "reset"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_kernel_watches_over_a_peer_whose_session_lasts() {
    let (_client, mut to_client) = connection().await;
    let (_upstream, mut to_upstream) = connection().await;
    let mut relay = Relay::new(Duration::from_secs(600), Arc::default());
    for (lasts, watched) in [(LASTING - MOMENT, false), (LASTING + MOMENT, true)] {
        tokio::select! {
            ended = relay.run(&mut to_client, &mut to_upstream) => panic!("{ended:?}"),
            () = tokio::time::sleep(lasts) => {}
        }
        let kept = |side: &Stream| {
            let socket = socket2::SockRef::from(side.tcp().expect("a socket"));
            socket.keepalive().expect("open")
        };
        assert_eq!((kept(&to_client), kept(&to_upstream)), (false, watched));
    }
}

/// Enough to be told from nothing.
const MOMENT: Duration = Duration::from_secs(1);
