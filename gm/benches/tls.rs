//! Handshakes and records through Tongsuo, with our code plugged in and without: `cargo bench -p alb-gm --bench tls`.
//!
//! Processor time of each side on its own. A process has one answer to whether it is accelerated, so each column is a
//! process: this program starts itself twice and puts the figures side by side.

#[path = "common/mod.rs"]
mod measure;
#[path = "../tests/common/mod.rs"]
mod setting;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::process::Command;

use alb_certs::Algorithm;
use alb_gm::Acceleration;
use alb_gm::tls::*;
use measure::cpu_nanoseconds;
use setting::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Suites to shake hands with, and whether the client shows certificates.
const HANDSHAKES: [(&str, bool); 4] = [
    ("ECC_SM4_GCM_SM3", false),
    ("ECC_SM4_GCM_SM3", true),
    ("ECDHE_SM4_GCM_SM3", true),
    ("TLS_SM4_GCM_SM3", false),
];
const RECORDS: [&str; 4] = [
    "ECC_SM4_GCM_SM3",
    "ECC_SM4_CBC_SM3",
    "TLS_SM4_GCM_SM3",
    "TLS_SM4_CCM_SM3",
];
/// Handshakes per figure, and bytes.
const ROUNDS: usize = 60;
const BYTES: usize = 8 << 20;

fn main() {
    let side =
        std::env::args().find_map(|argument| argument.strip_prefix("--side=").map(str::to_owned));
    match side.as_deref() {
        Some("auto") => measure_all(Acceleration::Auto),
        Some(_) => measure_all(Acceleration::Off),
        None => compare(),
    }
}

/// Runs both sides and prints them side by side.
fn compare() {
    let figures = ["off", "auto"].map(|side| {
        let program = std::env::current_exe().expect("own path");
        let output = Command::new(program)
            .arg(format!("--side={side}"))
            .output()
            .expect("a child");
        String::from_utf8(output.stdout).expect("text")
    });
    println!("{:44}{:>12}{:>12}{:>8}", "CPU time", "Tongsuo", "ours", "");
    for (off, auto) in figures[0].lines().zip(figures[1].lines()) {
        let [(name, unit, off), (.., auto)] = [off, auto].map(parse);
        let gain = if unit == "µs" {
            off / auto
        } else {
            auto / off
        };
        println!("{name:44}{off:>9.0} {unit}{auto:>9.0} {unit}{gain:>7.1}×");
    }
}

fn parse(line: &str) -> (&str, &str, f64) {
    let mut fields = line.split('\t');
    let mut next = || fields.next().expect("three fields");
    (next(), next(), next().parse().expect("a number"))
}

#[tokio::main(flavor = "current_thread")]
async fn measure_all(acceleration: Acceleration) {
    alb_gm::init(acceleration);
    assert_eq!(alb_gm::accelerated(), acceleration == Acceleration::Auto);
    let ca = authority();
    for (suite, mutual_auth) in HANDSHAKES {
        handshakes(&ca, suite, mutual_auth).await;
    }
    for suite in RECORDS {
        records(&ca, suite).await;
    }
}

fn policies(ca: &alb_certs::issue::Ca, name: &str) -> (AcceptorPolicy, ConnectorPolicy) {
    let single = server_ordinary(ca, Algorithm::Sm2, NAME);
    let server = listener(&[server_pair(ca, NAME), single]);
    let mut client = caller(ca, suites::find(name).expect("a suite").protocol);
    client.suites = vec![name.to_owned()];
    (server, client)
}

async fn handshakes(ca: &alb_certs::issue::Ca, suite: &str, mutual_auth: bool) {
    let (mut server, mut client) = policies(ca, suite);
    if mutual_auth {
        server.client_auth = mutual(ca);
        client.identity = Some(client_pair(ca, "client"));
    }
    let acceptor = Acceptor::new(&server).expect("a policy");
    let (accepting, connecting) = (Cell::new(f64::MAX), Cell::new(f64::MAX));
    for _ in 0..ROUNDS {
        // A new client each time, so that nothing is resumed.
        let connector = Connector::new(&client).expect("a policy");
        let (near, far) = duplex(64 * 1024);
        let (accepted, connected) = tokio::join!(
            timed(&accepting, acceptor.accept(far)),
            timed(&connecting, connector.connect(near, NAME))
        );
        accepted.expect("a handshake");
        connected.expect("a handshake");
    }
    let how = if mutual_auth { ", mutual" } else { "" };
    println!("{suite}{how}: server\tµs\t{}", accepting.get() / 1e3);
    println!("{suite}{how}: client\tµs\t{}", connecting.get() / 1e3);
}

async fn records(ca: &alb_certs::issue::Ca, suite: &str) {
    let (server, client) = policies(ca, suite);
    let (acceptor, connector) = (Acceptor::new(&server), Connector::new(&client));
    let (acceptor, connector) = (acceptor.expect("a policy"), connector.expect("a policy"));
    let (near, far) = duplex(2 * BYTES);
    let (server, client) = tokio::join!(acceptor.accept(far), connector.connect(near, NAME));
    let (mut server, mut client) = (server.expect("a handshake"), client.expect("a handshake"));
    let (data, mut received) = (vec![0x5A; BYTES], vec![0; BYTES]);
    let (writing, reading) = (Cell::new(f64::MAX), Cell::new(f64::MAX));
    for _ in 0..5 {
        timed(&writing, server.write_all(&data))
            .await
            .expect("room for all");
        server.flush().await.expect("room for all");
        timed(&reading, client.read_exact(&mut received))
            .await
            .expect("all of it");
    }
    assert_eq!(received, data);
    println!(
        "{suite}: write\tMB/s\t{}",
        BYTES as f64 * 1e3 / writing.get()
    );
    println!(
        "{suite}: read\tMB/s\t{}",
        BYTES as f64 * 1e3 / reading.get()
    );
}

/// The least processor time one such future has taken, all its polls together.
async fn timed<T>(least: &Cell<f64>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut spent = 0.0;
    let outcome = poll_fn(|context| {
        let start = cpu_nanoseconds();
        let polled = work.as_mut().poll(context);
        spent += cpu_nanoseconds() - start;
        polled
    })
    .await;
    least.set(least.get().min(spent));
    outcome
}
