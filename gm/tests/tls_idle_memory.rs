//! What an idle connection costs. Alone in its binary, since it reads the memory of the whole process.

mod common;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const WARM_UP: usize = 50;
const CONNECTIONS: usize = 400;

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .unwrap();
    let kib: usize = line
        .trim()
        .strip_suffix(" kB")
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kib * 1024
}

/// Connections after a handshake and a little talk; of the client only the socket is left.
async fn open(
    acceptor: &Acceptor,
    connector: &Connector,
    count: usize,
) -> Vec<(TlsStream<UnixStream>, UnixStream)> {
    let mut open = Vec::new();
    for _ in 0..count {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (server, client) =
            tokio::join!(acceptor.accept(far), connector.connect(&mut near, NAME));
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        let mut buf = [0; 16];
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        server.read_exact(&mut buf).await.unwrap();
        server.write_all(&buf).await.unwrap();
        client.read_exact(&mut buf).await.unwrap();
        drop(client);
        open.push((server, near));
    }
    open
}

#[tokio::test]
async fn an_idle_connection_costs_little() {
    let ca = authority();
    let server = listener(&[
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ]);
    let acceptor = Acceptor::new(&server).unwrap();
    let mut kept = Vec::new();
    for (protocol, limit) in [(Protocol::Tlcp, 24 * 1024), (Protocol::Tls13, 24 * 1024)] {
        let connector = Connector::new(&caller(&ca, protocol)).unwrap();
        let warm = open(&acceptor, &connector, WARM_UP).await;
        let before = resident();
        let opened = open(&acceptor, &connector, CONNECTIONS).await;
        let each = (resident() - before) / CONNECTIONS;
        println!("{protocol}: {each} bytes per idle connection");
        assert!(
            each < limit,
            "{protocol}: {each} bytes per idle connection, {limit} allowed"
        );
        kept.extend([warm, opened]); // freed memory would be used again and hide the next figure
    }
}
