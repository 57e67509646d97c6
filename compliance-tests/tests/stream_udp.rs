//! UDP through a `[[stream]]`: flows find their way there and back, end when they should, and move away from dead peers.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, SessionLog, alb::Setup};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Says every datagram back, with its own name in front.
struct Echo {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start(name: &'static str) -> Self {
        let socket = socket().await;
        let address = socket.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
                let mut reply = name.as_bytes().to_vec();
                reply.extend_from_slice(&buffer[..count]);
                let _ = socket.send_to(&reply, from).await;
            }
        });
        Echo { address, task }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
    socket.expect("a loopback port")
}

async fn client(to: SocketAddr) -> UdpSocket {
    let socket = socket().await;
    socket.connect(to).await.expect("an address");
    socket
}

/// Sends and waits for the answer.
async fn ask(client: &UdpSocket, question: &[u8]) -> Vec<u8> {
    client.send(question).await.expect("sent");
    answer(client).await
}

async fn answer(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let count = within("a datagram", client.recv(&mut buffer)).await;
    buffer.truncate(count.expect("received"));
    buffer
}

/// One listener, two peers; `more` are keys of the stream, `$log` has its sessions.
fn two_peers(more: &str) -> String {
    format!(
        "[log.access]\nfile = \"$log\"\n[[stream]]\nname = \"u\"\nprotocol = \"udp\"\nlisten = [\"$in\"]\n\
         upstream = \"echo\"\n{more}\n[upstream.echo]\npeers = [\"$one\", \"$two\"]\nmax_fails = 1\nfail_timeout = \"60s\"\n"
    )
}

fn placed(one: SocketAddr, two: SocketAddr, log: &SessionLog) -> Setup {
    Alb::new()
        .place("one", one)
        .place("two", two)
        .place("log", log)
}

#[tokio::test]
async fn a_flow_stays_with_its_peer_and_other_clients_get_the_other() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let log = SessionLog::new();
    let setup = placed(one.address, two.address, &log);
    let alb = setup.start(&two_peers("")).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let client = client(alb.address("in")).await;
        let first = ask(&client, b"a").await;
        for size in [0, 1, 1400, 9000, 60_000] {
            let question = vec![7; size];
            let reply = ask(&client, &question).await;
            assert_eq!((reply[0], &reply[1..]), (first[0], &question[..]));
        }
        seen.push(first[0]);
    }
    seen.sort_unstable();
    assert!(seen.contains(&b'1') && seen.contains(&b'2'), "{seen:?}");
}

#[tokio::test]
async fn a_flow_ends_with_its_expected_replies_and_the_next_question_goes_on() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let log = SessionLog::new();
    let setup = placed(one.address, two.address, &log);
    let alb = setup.start(&two_peers("responses = 1\nrequests = 1")).await;
    let client = client(alb.address("in")).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(ask(&client, b"question").await[0]);
    }
    // One client, and yet both peers in turn.
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
    let line = log.wait_for("complete").await;
    for part in [
        "udp \"u\" upstream=echo",
        "received=8 sent=9",
        "requests=1 replies=1",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn silence_ends_a_flow_and_missing_replies_count_against_the_peer() {
    // Nobody reads: datagrams arrive, and no answer comes.
    let mute = socket().await;
    let two = Echo::start("2").await;
    let log = SessionLog::new();
    let setup = placed(mute.local_addr().expect("an address"), two.address, &log);
    let alb = setup
        .start(&two_peers("idle_timeout = \"300ms\"\nresponses = 1"))
        .await;
    // Enough for every worker to have asked both peers.
    for _ in 0..8 {
        client(alb.address("in"))
            .await
            .send(b"anybody?")
            .await
            .expect("sent");
    }
    let unanswered = log.wait_for("unanswered").await;
    assert!(unanswered.contains("ended=upstream"), "{unanswered}");
    for _ in 0..4 {
        assert_eq!(ask(&client(alb.address("in")).await, b"x").await, b"2x");
    }
}

#[tokio::test]
async fn a_peer_that_is_gone_is_left_by_new_flows() {
    let gone = socket().await.local_addr().expect("an address");
    let two = Echo::start("2").await;
    let log = SessionLog::new();
    let alb = placed(gone, two.address, &log).start(&two_peers("")).await;
    // Enough for every worker to have asked both peers.
    for _ in 0..8 {
        client(alb.address("in"))
            .await
            .send(b"x")
            .await
            .expect("sent");
    }
    let refused = log.wait_for("unreachable").await;
    assert!(refused.contains(&format!("peer={gone}")), "{refused}");
    for _ in 0..4 {
        assert_eq!(ask(&client(alb.address("in")).await, b"x").await, b"2x");
    }
}

#[tokio::test]
async fn an_answer_comes_from_the_address_that_was_asked() {
    let one = Echo::start("1").await;
    let port = socket().await.local_addr().expect("an address").port();
    let alb = Alb::new()
        .place("one", one.address)
        .place("port", port)
        .start(
            "[[stream]]\nprotocol = \"udp\"\nlisten = [\"0.0.0.0:$port\", \"[::]:$port\"]\nupstream = \"echo\"\n\
             [upstream.echo]\npeers = [\"$one\"]\n",
        )
        .await;
    for ip in ["127.0.0.1", "127.0.0.2", "::1"] {
        let ip: std::net::IpAddr = ip.parse().expect("an address");
        let any = if ip.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let client = UdpSocket::bind(any).await.expect("a loopback port");
        // A connected socket takes answers of this address only.
        client.connect((ip, port)).await.expect("an address");
        assert_eq!(ask(&client, b"x").await, b"1x", "{ip}");
    }
    drop(alb);
}

#[tokio::test]
async fn the_table_of_flows_is_bounded() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let log = SessionLog::new();
    let setup = placed(one.address, two.address, &log);
    let alb = setup
        .start(&two_peers("max_connections = 2\nidle_timeout = \"500ms\""))
        .await;
    let first = client(alb.address("in")).await;
    let second = client(alb.address("in")).await;
    ask(&first, b"x").await;
    ask(&second, b"x").await;
    let third = client(alb.address("in")).await;
    third.send(b"x").await.expect("sent");
    let complaint = alb.wait_for_log("datagram dropped").await;
    assert!(
        complaint.contains("`max_connections` is reached"),
        "{complaint}"
    );
    // When the others have fallen silent there is room again.
    let room = async {
        loop {
            third.send(b"again").await.expect("sent");
            let mut buffer = [0; 16];
            let wait = Duration::from_millis(100);
            if let Ok(Ok(count)) = tokio::time::timeout(wait, third.recv(&mut buffer)).await {
                return buffer[1..count].to_vec();
            }
        }
    };
    assert_eq!(within("room for a flow", room).await, b"again");
}

#[tokio::test]
async fn a_reload_keeps_the_flows() {
    let (one, two) = (Echo::start("1").await, Echo::start("2").await);
    let log = SessionLog::new();
    let setup = placed(one.address, two.address, &log);
    let alb = setup.start(&two_peers("")).await;
    let client = client(alb.address("in")).await;
    let before = ask(&client, b"x").await;
    alb.rewrite(&two_peers("idle_timeout = \"1m\""));
    alb.reload().await.expect("a configuration that is right");
    for _ in 0..3 {
        assert_eq!(ask(&client, b"x").await, before);
    }
}
