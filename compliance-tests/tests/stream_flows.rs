//! The life of UDP flows in a running daemon: reloads, leaving, limits, access lists, IPv6, and what the logs say of it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use alb_compliance_tests::alb::Setup;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, SessionLog};
use nix::sys::signal::Signal;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// Says every datagram back, with its own name and the address it came from in front.
struct Echo {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Echo {
    async fn start(name: &'static str, on: &str) -> Self {
        let socket = UdpSocket::bind(on).await.expect("a loopback port");
        let address = socket.local_addr().expect("an address");
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            while let Ok((count, from)) = socket.recv_from(&mut buffer).await {
                let mut reply = format!("{name} {} ", from.ip()).into_bytes();
                reply.extend_from_slice(&buffer[..count]);
                let _ = socket.send_to(&reply, from).await;
            }
        });
        Echo { address, task }
    }

    async fn v4(name: &'static str) -> Self {
        Self::start(name, "127.0.0.1:0").await
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn client(from: &str, to: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(from).await.expect("a loopback port");
    socket.connect(to).await.expect("an address");
    socket
}

async fn ask(client: &UdpSocket, question: &str) -> String {
    client.send(question.as_bytes()).await.expect("sent");
    let mut buffer = vec![0; 65_536];
    let count = within("an answer", client.recv(&mut buffer)).await;
    String::from_utf8_lossy(&buffer[..count.expect("received")]).into_owned()
}

/// How many answers are there. Whoever has to answer must have done so.
fn answers(client: &UdpSocket) -> usize {
    let mut buffer = vec![0; 65_536];
    std::iter::from_fn(|| client.try_recv(&mut buffer).ok()).count()
}

/// Two workers, an echo; `more` are keys of the stream, `rest` are further tables.
fn configuration(more: &str, rest: &str) -> String {
    format!(
        "[daemon]\nworkers = 2\ndrain_timeout = \"500ms\"\n[log.access]\nfile = \"$log\"\n[[stream]]\nname = \"u\"\n\
         protocol = \"udp\"\nlisten = [\"$in\"]\nupstream = \"echo\"\n{more}\n[upstream.echo]\npeers = [\"$echo\"]\n{rest}"
    )
}

fn setup(echo: &Echo, log: &SessionLog) -> Setup {
    Alb::new().place("echo", echo.address).place("log", log)
}

#[tokio::test]
async fn flows_have_the_time_of_the_drain_when_the_daemon_leaves() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let alb = setup(&echo, &log).start(&configuration("", "")).await;
    let client = client("127.0.0.1:0", alb.address("in")).await;
    ask(&client, "before").await;
    alb.signal(Signal::SIGQUIT);
    let leaving = alb.wait_for_log("leaving when the open").await;
    assert!(leaving.contains("flows=1"), "{leaving}");
    for _ in 0..3 {
        assert_eq!(ask(&client, "during").await, "1 127.0.0.1 during");
    }
    assert!(within("the end", alb.wait()).await.success());
    let [line] = &log.lines()[..] else {
        panic!("{:?}", log.lines());
    };
    for part in ["why=\"leaving\"", "requests=4 replies=4", "ended=gateway"] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn the_daemon_leaves_as_soon_as_its_flows_have_ended() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration("idle_timeout = \"1s\"", "");
    let alb = setup(&echo, &log).start(&text.replace("500ms", "1h")).await;
    let client = client("127.0.0.1:0", alb.address("in")).await;
    ask(&client, "x").await;
    alb.signal(Signal::SIGQUIT);
    assert!(within("the end", alb.wait()).await.success());
    let lines = log.lines();
    assert!(lines[0].contains("why=\"idle\""), "{lines:?}");
}

#[tokio::test]
async fn no_flow_begins_while_others_are_drained() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration("", "").replace("500ms", "1h");
    let alb = setup(&echo, &log).start(&text).await;
    let known = client("127.0.0.1:0", alb.address("in")).await;
    ask(&known, "x").await;
    // A listener that is removed is drained as those of a daemon that leaves; here it is known when that has begun.
    alb.rewrite(&text.replace("$in", "$elsewhere").replace("\"u\"", "\"t\""));
    alb.reload().await.expect("a configuration that is right");
    let late = client("127.0.0.1:0", alb.address("in")).await;
    late.send(b"x").await.expect("sent");
    let complaint = alb.wait_for_log("datagram dropped").await;
    assert!(complaint.contains("takes no new flows"), "{complaint}");
    assert_eq!(answers(&late), 0);
    assert_eq!(ask(&known, "still").await, "1 127.0.0.1 still");
}

#[tokio::test]
async fn the_flows_of_a_listener_that_goes_end_with_the_drain() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration("", "");
    let alb = setup(&echo, &log).start(&text).await;
    let known = client("127.0.0.1:0", alb.address("in")).await;
    ask(&known, "x").await;
    alb.rewrite(&text.replace("$in", "$elsewhere").replace("\"u\"", "\"t\""));
    alb.reload().await.expect("a configuration that is right");
    let address = alb.address("in");
    let ended = async {
        // Bound without sharing: the address is free once the last flow is over.
        while UdpSocket::bind(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the end of the drain", ended).await;
    let counters = alb.counters().await;
    assert!(counters.contains("flows=1"), "{counters}");
    let lines = log.lines();
    assert!(lines[0].contains("why=\"listener removed\""), "{lines:?}");
}

#[tokio::test]
async fn flows_keep_their_configuration_through_a_reload_and_new_ones_follow_the_new_one() {
    let (one, two, log) = (Echo::v4("1").await, Echo::v4("2").await, SessionLog::new());
    let text = configuration("", "");
    let alb = setup(&one, &log)
        .place("other", two.address)
        .start(&text)
        .await;
    let before = client("127.0.0.1:0", alb.address("in")).await;
    assert_eq!(ask(&before, "x").await, "1 127.0.0.1 x");
    alb.rewrite(&text.replace("$echo", "$other"));
    alb.reload().await.expect("a configuration that is right");
    let after = client("127.0.0.1:0", alb.address("in")).await;
    for _ in 0..3 {
        assert_eq!(ask(&before, "x").await, "1 127.0.0.1 x");
        assert_eq!(ask(&after, "x").await, "2 127.0.0.1 x");
    }
}

/// Sends so many questions, each a flow; how many were answered, and what was counted.
async fn answered(limit: &str, questions: usize) -> (usize, String) {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let limit = format!("[limit.l]\nkey = \"client_ip\"\n{limit}\n");
    let text = configuration("requests = 1\nresponses = 1\nlimits = [\"l\"]", &limit);
    let text = text.replace("workers = 2", "workers = 1");
    let alb = setup(&echo, &log).start(&text).await;
    let asking = client("127.0.0.1:0", alb.address("in")).await;
    for _ in 0..questions {
        asking.send(b"x").await.expect("sent");
    }
    // Another's question is behind them in every queue, and its answer behind theirs.
    let last = client("127.0.0.2:0", alb.address("in")).await;
    ask(&last, "x").await;
    (answers(&asking), alb.counters().await)
}

#[tokio::test]
async fn a_datagram_that_would_have_to_wait_is_dropped_and_a_burst_with_nodelay_passes() {
    let (count, counted) = answered("rate = \"1/m\"\nburst = 10", 20).await;
    assert_eq!(count, 1);
    for part in [
        "limit_refused=19",
        "limit_delayed=0",
        "datagrams_dropped=19",
        "flows=2",
    ] {
        assert!(counted.contains(part), "no {part}: {counted}");
    }
    let (count, counted) = answered("rate = \"1/m\"\nburst = 4\nnodelay = true", 20).await;
    assert_eq!(count, 5);
    for part in ["limit_refused=15", "datagrams=12 ", "flows=6"] {
        assert!(counted.contains(part), "no {part}: {counted}");
    }
}

#[tokio::test]
async fn no_more_flows_at_once_than_a_limit_allows_over_all_workers() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration("limits = [\"l\"]", "[limit.l]\nconnections = 7\n");
    let alb = setup(&echo, &log).start(&text).await;
    let mut clients = Vec::new();
    for _ in 0..7 {
        let client = client("127.0.0.1:0", alb.address("in")).await;
        ask(&client, "x").await;
        clients.push(client);
    }
    for _ in 0..5 {
        let client = client("127.0.0.1:0", alb.address("in")).await;
        client.send(b"x").await.expect("sent");
    }
    // Those that were let in go on, after the refused ones, too.
    for client in &clients {
        ask(client, "x").await;
    }
    let counted = alb.counters().await;
    assert!(counted.contains("limit_refused=5"), "{counted}");
    assert!(counted.contains("flows=7"), "{counted}");
}

#[tokio::test]
async fn what_is_beyond_the_bandwidth_is_dropped_in_each_direction() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration(
        "limits = [\"l\"]",
        "[limit.l]\nbandwidth = \"100KB/s\"\nbandwidth_after = \"20KB\"\n",
    );
    let alb = setup(&echo, &log).start(&text).await;
    let client = client("127.0.0.1:0", alb.address("in")).await;
    let begun = Instant::now();
    let datagram = [b'x'; 1000];
    let mut received = 0;
    while begun.elapsed() < Duration::from_secs(1) {
        client.send(&datagram).await.expect("sent");
        received += answers(&client);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    // What is free, a tenth of a second in advance, and what the time allows.
    let most = (20_000.0 + 110_000.0 * seconds + 10_000.0) / 1000.0;
    assert!(
        (20.0..=most).contains(&(received as f64)),
        "{received} in {seconds} s"
    );
    let counted = alb.counters().await;
    assert!(!counted.contains("datagrams_dropped=0"), "{counted}");
}

#[tokio::test]
async fn an_access_list_keeps_clients_out_and_says_so() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration(
        "access = \"list\"",
        "[access.list]\nrules = [\"deny 127.0.0.66\"]\n",
    );
    let alb = setup(&echo, &log).start(&text).await;
    let denied = client("127.0.0.66:0", alb.address("in")).await;
    denied.send(b"x").await.expect("sent");
    let complaint = alb.wait_for_log("datagram dropped").await;
    assert!(complaint.contains("not on the access list"), "{complaint}");
    let allowed = client("127.0.0.1:0", alb.address("in")).await;
    assert_eq!(ask(&allowed, "x").await, "1 127.0.0.1 x");
    assert_eq!(answers(&denied), 0);
    let counted = alb.counters().await;
    for part in ["denied=1", "flows=1", "datagrams_dropped=1"] {
        assert!(counted.contains(part), "no {part}: {counted}");
    }
}

#[tokio::test]
async fn either_family_reaches_either_from_the_addresses_given() {
    for (inward, outward, bind) in [
        ("127.0.0.1:0", "[::1]:0", "::1"),
        ("[::1]:0", "127.0.0.1:0", "127.0.0.9"),
        ("[::1]:0", "[::1]:0", "::1"),
    ] {
        let (echo, log) = (Echo::start("1", outward).await, SessionLog::new());
        let free = UdpSocket::bind(inward).await.expect("a loopback port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let text = configuration("", &format!("bind = [\"{bind}\"]\n"));
        let alb = setup(&echo, &log).place("in", address).start(&text).await;
        let client = client(inward, alb.address("in")).await;
        let from: IpAddr = bind.parse().expect("an address");
        assert_eq!(ask(&client, "x").await, format!("1 {from} x"));
    }
}

#[tokio::test]
async fn many_datagrams_of_all_sizes_come_back_as_they_were_and_in_order() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let alb = setup(&echo, &log).start(&configuration("", "")).await;
    let client = client("127.0.0.1:0", alb.address("in")).await;
    let sizes = [1200, 1200, 1200, 400, 0, 1, 1200, 9000, 9000, 17];
    let mut number = 0_u32;
    for _ in 0..50 {
        let mut sent = Vec::new();
        for size in sizes {
            number += 1;
            let mut datagram = number.to_string();
            datagram.extend(std::iter::repeat_n('.', size));
            client.send(datagram.as_bytes()).await.expect("sent");
            sent.push(datagram);
        }
        for datagram in sent {
            let mut buffer = vec![0; 65_536];
            let count = within("an answer", client.recv(&mut buffer)).await;
            let reply = String::from_utf8_lossy(&buffer[..count.expect("received")]);
            assert_eq!(reply, format!("1 127.0.0.1 {datagram}"));
        }
    }
    let counted = alb.counters().await;
    assert!(counted.contains("datagrams=1000 "), "{counted}");
    assert!(counted.contains("datagrams_dropped=0"), "{counted}");
}

#[tokio::test]
async fn a_flow_is_one_line_of_json() {
    let (echo, log) = (Echo::v4("1").await, SessionLog::new());
    let text = configuration("requests = 1\nresponses = 1", "")
        .replace("file = ", "format = \"json\"\nfile = ");
    let alb = setup(&echo, &log).start(&text).await;
    let client = client("127.0.0.1:0", alb.address("in")).await;
    ask(&client, "question").await;
    alb.counters().await;
    let lines = log.lines();
    let mut line: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
    let own = client.local_addr().expect("an address").to_string();
    for measured in ["time", "seconds"] {
        assert!(
            line.as_object_mut()
                .expect("an object")
                .remove(measured)
                .is_some()
        );
    }
    let tries = line["upstream"][0].as_object_mut().expect("a try");
    assert!(tries.remove("seconds").is_some());
    let expected = serde_json::json!({
        "stream": "udp", "listener": "u", "client": own, "local": alb.address("in").to_string(),
        "upstream_name": "echo", "received": 8, "sent": 20, "requests": 1, "replies": 1,
        "ended_by": "gateway", "why": "complete", "upstream": [{ "address": echo.address.to_string() }],
    });
    assert_eq!(line, expected);
}
