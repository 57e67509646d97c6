//! Handshakes and records through Tongsuo: processor time of each side on its own.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use crate::measure::cpu_nanoseconds;
use crate::setting::*;
use crate::{Unit, report};

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

#[tokio::main(flavor = "current_thread")]
pub async fn measure_all() {
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
    for (side, time) in [("server", accepting), ("client", connecting)] {
        let name = format!("{suite} handshake{how}: {side}");
        report(&name, Unit::Microseconds, time.get() / 1e3);
    }
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
    for (what, time) in [("write", writing), ("read", reading)] {
        let name = format!("{suite} records: {what}");
        report(&name, Unit::Megabytes, BYTES as f64 * 1e3 / time.get());
    }
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
