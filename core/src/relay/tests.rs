use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

impl Duplex for DuplexStream {
    fn tcp(&self) -> Option<&TcpStream> {
        None
    }

    fn keep_alive(&self) {}
}

const IDLE: Duration = Duration::from_secs(600);

/// A session whose relay runs by itself: the client's end, the peer's end, and the outcome.
fn session(relay: Relay) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<Done>) {
    let (client, mut to_client) = duplex(64 * 1024);
    let (upstream, mut to_upstream) = duplex(64 * 1024);
    let task = tokio::spawn(async move {
        let mut relay = relay;
        let ended = relay.run(&mut to_client, &mut to_upstream).await;
        (ended, relay.received(), relay.sent())
    });
    (client, upstream, task)
}

type Done = (Ended, u64, u64);

fn relay() -> Relay {
    Relay::new(IDLE, Arc::default())
}

#[tokio::test]
async fn bytes_pass_both_ways_and_are_counted() {
    let stats = Arc::new(WorkerStats::default());
    let (mut client, mut upstream, task) = session(Relay::new(IDLE, Arc::clone(&stats)));
    let up: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
    let down: Vec<u8> = (0..300_000u32).map(|n| (n >> 3) as u8).collect();
    let (mut seen_up, mut seen_down) = (vec![0; up.len()], vec![0; down.len()]);
    let (mut client_read, mut client_write) = tokio::io::split(&mut client);
    let (mut upstream_read, mut upstream_write) = tokio::io::split(&mut upstream);
    let all = tokio::join!(
        client_write.write_all(&up),
        upstream_write.write_all(&down),
        upstream_read.read_exact(&mut seen_up),
        client_read.read_exact(&mut seen_down),
    );
    all.0.and(all.1).expect("written");
    assert!((seen_up, seen_down) == (up, down));
    drop((client, upstream));
    let (ended, received, sent) = task.await.expect("ended");
    assert_eq!(ended.why.as_str(), "closed");
    assert_eq!((received, sent), (200_000, 300_000));
    assert_eq!(
        (stats.relayed_up.get(), stats.relayed_down.get()),
        (200_000, 300_000)
    );
}

#[tokio::test]
async fn either_side_may_end_its_direction_first() {
    for first in [Side::Client, Side::Upstream] {
        let (client, upstream, task) = session(relay());
        let (mut early, mut late) = match first {
            Side::Client => (client, upstream),
            _ => (upstream, client),
        };
        early.write_all(b"question").await.expect("written");
        early.shutdown().await.expect("ended");
        let mut question = Vec::new();
        late.read_to_end(&mut question).await.expect("read");
        late.write_all(b"answer").await.expect("written");
        late.shutdown().await.expect("ended");
        let mut answer = Vec::new();
        early.read_to_end(&mut answer).await.expect("read");
        assert_eq!(
            (&question[..], &answer[..]),
            (&b"question"[..], &b"answer"[..])
        );
        let (ended, ..) = task.await.expect("ended");
        assert_eq!((ended.by, ended.why.as_str()), (first, "closed"));
    }
}

#[tokio::test]
async fn a_peer_with_the_last_word_ends_the_session_of_a_client_that_stays() {
    let (mut client, mut upstream, task) = session(relay().ending_with_upstream());
    client.write_all(b"LOGOUT").await.expect("written");
    upstream.write_all(b"BYE").await.expect("written");
    upstream.shutdown().await.expect("ended");
    let mut seen = Vec::new();
    client.read_to_end(&mut seen).await.expect("read");
    assert_eq!(seen, b"BYE");
    let (ended, ..) = task.await.expect("ended");
    assert_eq!((ended.by, ended.why.as_str()), (Side::Upstream, "closed"));
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_session_and_every_byte_puts_it_off() {
    let (mut client, mut upstream, task) = session(relay());
    let begun = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
        client.write_all(b"x").await.expect("written");
        assert_eq!(upstream.read_u8().await.expect("read"), b'x');
    }
    let (ended, ..) = task.await.expect("ended");
    assert_eq!((ended.by, ended.why.as_str()), (Side::Gateway, "idle"));
    assert!(begun.elapsed() >= IDLE * 4 - Duration::from_secs(4));
}

#[tokio::test]
async fn what_was_read_before_goes_first() {
    let relay = relay()
        .with_from_client(b"hello ".to_vec())
        .with_from_upstream(b"220 ".to_vec());
    let (mut client, mut upstream, _task) = session(relay);
    client.write_all(b"world").await.expect("written");
    upstream.write_all(b"ready").await.expect("written");
    let (mut up, mut down) = ([0; 11], [0; 9]);
    upstream.read_exact(&mut up).await.expect("read");
    client.read_exact(&mut down).await.expect("read");
    assert_eq!((&up, &down), (b"hello world", b"220 ready"));
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_peer_at_one_buffer() {
    let (client, mut upstream, _task) = session(relay());
    let mut written = 0;
    let chunk = vec![7; 1024];
    // Both pipes hold 64 KiB, the relay one buffer.
    loop {
        let write = tokio::time::timeout(Duration::from_millis(200), upstream.write(&chunk));
        match write.await {
            Ok(count) => written += count.expect("written"),
            Err(_) => break,
        }
    }
    assert_eq!(written, 2 * 64 * 1024 + buffer::SIZE);
    drop(client);
}

#[tokio::test]
async fn a_side_that_vanishes_while_it_is_written_to_is_named() {
    let (client, mut upstream, task) = session(relay());
    drop(client);
    upstream.write_all(b"too late").await.expect("written");
    let (ended, ..) = task.await.expect("ended");
    assert_eq!((ended.by, ended.why.as_str()), (Side::Client, "reset"));
}

#[tokio::test(start_paused = true)]
async fn a_paced_direction_takes_its_time_and_the_other_does_not() {
    let throttle = throttle();
    let (mut client, mut upstream, _task) = session(relay().paced(Some(throttle), None));
    let begun = Instant::now();
    let bytes = vec![1; 64 * 1024];
    upstream.write_all(&bytes).await.expect("written");
    client
        .read_exact(&mut vec![0; bytes.len()])
        .await
        .expect("read");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    for _ in 0..4 {
        client.write_all(&bytes).await.expect("written");
        upstream
            .read_exact(&mut vec![0; bytes.len()])
            .await
            .expect("read");
    }
    let took = begun.elapsed().as_secs_f64();
    assert!(
        (3.5..4.5).contains(&took),
        "256 KiB at 64 KiB/s took {took} s"
    );
}

/// 64 KiB in a second.
fn throttle() -> Throttle {
    struct Anybody;
    impl crate::limit::Keys for Anybody {
        fn client_ip(&self) -> std::net::IpAddr {
            [10, 0, 0, 1].into()
        }
        fn value(&self, _: &crate::limit::KeySource) -> Option<std::borrow::Cow<'_, [u8]>> {
            None
        }
    }
    let text = "[limit.slow]\nbandwidth = \"64KiB/s\"\n[[stream]]\nlisten = [\"127.0.0.1:1\"]\n\
                upstream = \"x\"\nlimits = [\"slow\"]\n[upstream.x]\npeers = [\"127.0.0.1:2\"]\n";
    let config = alb_conf::check_str(text).unwrap_or_else(|report| panic!("{report}"));
    let mut limits = crate::limit::Builder::new(&config.limit, None);
    let set = limits.sessions(&config.stream[0].limits);
    set.pace(&Anybody).throttle().expect("a bandwidth")
}
