//! Real services behind a stream: PostgreSQL and Redis over TCP, DNS and DTLS over UDP, also when datagrams are lost and
//! overtake each other on the way.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::process::Process;
use alb_compliance_tests::{Alb, Pki};
use tempfile::TempDir;
use tokio::net::UdpSocket;

/// Runs a tool to its end; what it says if it succeeds.
async fn run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = output(command).await;
    let (out, err) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "{command:?}: {status}\n{out}{err}");
    out.into_owned()
}

/// Runs a tool to its end, while the test goes on.
async fn output(command: &mut Command) -> Output {
    let mut own = std::mem::replace(command, Command::new("true"));
    own.stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || own.output()).await;
    ran.expect("no panic")
        .expect("a program; scripts/install-packages test installs it")
}

fn reserved() -> (Reserved, SocketAddr) {
    let reserved = Reserved::v4();
    let address = reserved.address();
    (reserved, address)
}

const CARRY: &str = r#"
    [[stream]]
    listen = ["$in"]
    upstream = "service"
    [upstream.service]
    peers = ["$service"]
"#;

#[tokio::test]
async fn redis_answers_through_a_stream() {
    let (_reserved, address) = reserved();
    let port = address.port().to_string();
    let mut redis = Command::new("redis-server");
    redis.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
    let redis = Process::start("redis", &mut redis);
    redis.wait_for("Ready to accept connections").await;
    let alb = Alb::new().place("service", address).start(CARRY).await;
    let port = alb.address("in").port().to_string();
    let cli = |arguments: &[&str]| {
        let mut command = Command::new("redis-cli");
        command
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(arguments);
        command
    };
    let big = "x".repeat(100_000);
    run(&mut cli(&["set", "key", &big])).await;
    assert_eq!(run(&mut cli(&["get", "key"])).await.trim(), big);
    let mut bench = Command::new("redis-benchmark");
    bench.args([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-n",
        "2000",
        "-c",
        "20",
        "-P",
        "8",
        "-q",
    ]);
    run(bench.args(["-t", "set,get,lrange_100"])).await;
}

/// The programs of the newest PostgreSQL of this machine.
fn postgres(program: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("scripts/install-packages test");
    let mut paths: Vec<PathBuf> = versions
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths.pop().expect("a version").join("bin").join(program)
}

/// A cluster of its own, as the user `postgres`: the server refuses to run as root.
async fn cluster(port: u16) -> (TempDir, Process) {
    let directory = tempfile::Builder::new()
        .prefix("alb-pg")
        .tempdir()
        .expect("a directory");
    let path = directory.path().display().to_string();
    run(Command::new("chown").args(["postgres", &path])).await;
    let data = format!("{path}/data");
    let as_postgres = |program: &str| {
        let mut command = Command::new("setpriv");
        command
            .current_dir("/")
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        command.arg(postgres(program));
        command
    };
    run(as_postgres("initdb").args(["-D", &data, "-A", "trust", "--no-sync"])).await;
    let mut server = as_postgres("postgres");
    server.args([
        "-D",
        &data,
        "-k",
        "",
        "-h",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-F",
    ]);
    (directory, Process::start("postgres", &mut server))
}

#[tokio::test]
async fn postgresql_answers_through_a_stream() {
    let (_reserved, address) = reserved();
    let (_directory, server) = cluster(address.port()).await;
    let alb = Alb::new().place("service", address).start(CARRY).await;
    let port = alb.address("in").port().to_string();
    let psql = |statement: &str| {
        let mut command = Command::new("psql");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-At",
            "-c",
            statement,
        ]);
        command
    };
    server.wait_for("ready to accept connections").await;
    run(&mut psql(
        "create table t as select g as n, md5(g::text) as m from generate_series(1, 50000) g",
    ))
    .await;
    let answer = run(&mut psql(
        "select count(*), md5(string_agg(m, '' order by n)) from t",
    ))
    .await;
    let all = run(&mut psql("select m from t order by n")).await;
    assert_eq!(all.lines().count(), 50_000);
    assert!(answer.starts_with("50000|"), "{answer}");
    server.signal(nix::sys::signal::Signal::SIGINT);
}

/// Carries datagrams both ways between one client side and a server, losing and delaying some.
async fn bad_line(server: SocketAddr) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let address = front.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        let front = std::sync::Arc::new(front);
        let mut flows = std::collections::HashMap::<SocketAddr, std::sync::Arc<UdpSocket>>::new();
        let mut buffer = vec![0; 65_536];
        let mut number = 0_u32;
        while let Ok((count, from)) = front.recv_from(&mut buffer).await {
            number += 1;
            let back = match flows.get(&from) {
                Some(back) => std::sync::Arc::clone(back),
                None => {
                    let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
                        .await
                        .expect("a port");
                    back.connect(server).await.expect("a server");
                    let back = std::sync::Arc::new(back);
                    flows.insert(from, std::sync::Arc::clone(&back));
                    let there = std::sync::Arc::clone(&back);
                    tokio::spawn(replies(there, std::sync::Arc::clone(&front), from));
                    back
                }
            };
            // One of eleven is lost, one of five is overtaken by those behind it.
            if number.is_multiple_of(11) {
                continue;
            }
            let bytes = buffer[..count].to_vec();
            let late = if number.is_multiple_of(5) { 15 } else { 0 };
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(late)).await;
                let _ = back.send(&bytes).await;
            });
        }
    });
    (address, task)
}

async fn replies(
    from: std::sync::Arc<UdpSocket>,
    front: std::sync::Arc<UdpSocket>,
    client: SocketAddr,
) {
    let mut buffer = vec![0; 65_536];
    let mut number = 0_u32;
    while let Ok(count) = from.recv(&mut buffer).await {
        number += 1;
        if number.is_multiple_of(13) {
            continue;
        }
        let (bytes, front) = (buffer[..count].to_vec(), std::sync::Arc::clone(&front));
        let late = if number.is_multiple_of(4) { 10 } else { 0 };
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(late)).await;
            let _ = front.send_to(&bytes, client).await;
        });
    }
}

async fn dnsmasq() -> (Reserved, SocketAddr, Process) {
    let (reserved, address) = reserved();
    let mut command = Command::new("dnsmasq");
    command.args([
        "--no-daemon",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--bind-interfaces",
    ]);
    command.args(["--listen-address=127.0.0.1", "--user=root"]);
    command.arg(format!("--port={}", address.port()));
    command.args([
        "--address=/example.test/192.0.2.7",
        "--txt-record=long.test,long",
    ]);
    let process = Process::start("dnsmasq", &mut command);
    process.wait_for("started, version").await;
    (reserved, address, process)
}

const DNS: &str = r#"
    [[stream]]
    protocol = "udp"
    listen = ["$in"]
    upstream = "service"
    requests = 1
    responses = 1
    idle_timeout = "2s"
    [upstream.service]
    peers = ["$service"]
"#;

async fn dig(server: SocketAddr, tries: &str) -> String {
    let mut dig = Command::new("dig");
    dig.args([
        "@127.0.0.1",
        "-p",
        &server.port().to_string(),
        "+short",
        "+time=1",
        tries,
    ]);
    run(dig.args(["+notcp", "host.example.test", "A"])).await
}

/// Asks a thousand questions at once; how many were answered.
async fn dnsperf(server: SocketAddr, directory: &Path) -> u64 {
    let questions: String = (0..1000)
        .map(|n| format!("h{n}.example.test A\n"))
        .collect();
    let file = directory.join("questions");
    std::fs::write(&file, questions).expect("a file of ours");
    let mut dnsperf = Command::new("dnsperf");
    dnsperf.args([
        "-s",
        "127.0.0.1",
        "-p",
        &server.port().to_string(),
        "-n",
        "2",
        "-t",
        "2",
        "-c",
        "10",
        "-d",
    ]);
    let said = run(dnsperf.arg(file)).await;
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Queries completed:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{said}"))
}

#[tokio::test]
async fn dns_is_answered_through_a_stream() {
    let (_reserved, address, _dnsmasq) = dnsmasq().await;
    let alb = Alb::new().place("service", address).start(DNS).await;
    assert_eq!(dig(alb.address("in"), "+tries=3").await.trim(), "192.0.2.7");
    let directory = tempfile::tempdir().expect("a directory");
    let answered = dnsperf(alb.address("in"), directory.path()).await;
    assert!(answered >= 1990, "{answered} of 2000");
}

#[tokio::test]
async fn dns_survives_loss_and_reordering_behind_a_stream() {
    let (_reserved, address, _dnsmasq) = dnsmasq().await;
    let (line, task) = bad_line(address).await;
    let alb = Alb::new().place("service", line).start(DNS).await;
    for _ in 0..10 {
        assert_eq!(
            dig(alb.address("in"), "+tries=10").await.trim(),
            "192.0.2.7"
        );
    }
    let directory = tempfile::tempdir().expect("a directory");
    let answered = dnsperf(alb.address("in"), directory.path()).await;
    // 10/11 of the questions and 12/13 of the answers come through.
    assert!((1400..=1900).contains(&answered), "{answered} of 2000");
    task.abort();
}

#[tokio::test]
async fn dtls_passes_through_a_stream_and_over_a_bad_line() {
    let pki = Pki::new();
    let (_reserved, address) = reserved();
    // It prints what it is told for as long as its own input is open; it ends by itself should the test not end it.
    let serve = format!(
        "sleep 60 | exec timeout 60 openssl s_server -dtls -accept {address} -cert server.pem -key server.key -quiet"
    );
    let mut shell = Command::new("sh");
    let server = Process::start(
        "openssl",
        shell.current_dir(pki.path()).args(["-c", &serve]),
    );
    let (line, task) = bad_line(address).await;
    let alb = Alb::new()
        .place("service", line)
        .start(
            &DNS.replace("requests = 1\n", "")
                .replace("responses = 1\n", ""),
        )
        .await;
    let client = format!(
        "(sleep 3; echo through; sleep 1) | openssl s_client -dtls -connect {} -CAfile {}/ca.pem -quiet -verify_return_error",
        alb.address("in"),
        pki.path().display()
    );
    let heard = async {
        // What is lost after the handshake is lost: DTLS carries datagrams.
        while !server.output().text().contains("through") {
            output(Command::new("timeout").args(["10", "sh", "-c", &client])).await;
        }
    };
    let patience = tokio::time::timeout(Duration::from_secs(50), heard);
    patience.await.expect("the server to hear the client");
    task.abort();
}
