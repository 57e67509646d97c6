//! The stream: how writes become records, and that nothing is lost when the transport stalls.

mod common;

use std::io::IoSlice;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

#[tokio::test]
async fn a_head_and_its_body_leave_in_one_record() {
    let ca = authority();
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    for protocol in Protocol::ALL {
        let (server, client) = meet(&listener(&identities), &caller(&ca, protocol)).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        let (head, body) = ([b'h'; 200], [b'b'; 1000]);
        let pieces = [IoSlice::new(&head), IoSlice::new(&[]), IoSlice::new(&body)];
        assert_eq!(server.write_vectored(&pieces).await.unwrap(), 1200);
        let mut record = [0; 4096];
        assert_eq!(client.read(&mut record).await.unwrap(), 1200, "{protocol}");
        assert_eq!([&head[..], &body[..]].concat(), record[..1200]);
    }
}

#[tokio::test]
async fn pieces_beyond_a_record_wait_for_the_next() {
    let ca = authority();
    let (server, client) = meet(
        &listener(&[server_pair(&ca, NAME)]),
        &caller(&ca, Protocol::Tlcp),
    )
    .await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    let (head, body) = ([b'h'; 200], vec![b'b'; 40_000]);
    let written = server
        .write_vectored(&[IoSlice::new(&head), IoSlice::new(&body)])
        .await
        .unwrap();
    assert_eq!(written, 16_384);
    let written = server
        .write_vectored(&[IoSlice::new(&body), IoSlice::new(&head)])
        .await
        .unwrap();
    assert_eq!(written, 16_384);
    assert_eq!(server.write_vectored(&[]).await.unwrap(), 0);
    let mut first = vec![0; 16_384];
    client.read_exact(&mut first).await.unwrap();
    assert_eq!((&first[..200], &first[200..]), (&head[..], &body[..16_184]));
}

#[tokio::test]
async fn nothing_is_lost_through_a_narrow_pipe() {
    let ca = authority();
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    for protocol in Protocol::ALL {
        let acceptor = Acceptor::new(&listener(&identities)).unwrap();
        let connector = Connector::new(&caller(&ca, protocol)).unwrap();
        // A TLS 1.3 server ends its handshake with tickets, which a client reads only later.
        let width = if protocol == Protocol::Tls13 { 1024 } else { 7 };
        let (near, far) = duplex(width);
        let (server, client) = tokio::join!(acceptor.accept(far), connector.connect(near, NAME));
        talk(&mut server.unwrap(), &mut client.unwrap()).await;
    }
}
