//! Every suite, one-way and mutual.

mod common;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use common::*;

/// Shakes hands with exactly one suite on the client's side, and exchanges data.
async fn with_suite(name: &str, mutual_auth: bool) {
    let suite = suites::find(name).unwrap();
    let ca = authority();
    let mut server = listener(&[
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
        server_ordinary(&ca, Algorithm::Rsa2048, NAME),
    ]);
    let mut client = caller(&ca, suite.protocol);
    client.suites = vec![name.to_owned()];
    if mutual_auth {
        server.client_auth = mutual(&ca);
        client.identity = Some(client_pair(&ca, "alice"));
    }
    let (server, client) = meet(&server, &client).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    for (info, peer) in [(server.info(), mutual_auth), (client.info(), true)] {
        assert_eq!(info.suite, name);
        assert_eq!(info.protocol, suite.protocol);
        assert_eq!(info.peer.is_some(), peer);
        assert_eq!(info.client_verify == ClientVerify::Success, peer);
        let encrypt = info.peer.as_ref().is_some_and(|p| p.encrypt.is_some());
        assert_eq!(encrypt, peer && suite.protocol == Protocol::Tlcp);
    }
    assert_eq!(server.info().sni.as_deref(), Some(NAME));
    talk(&mut server, &mut client).await;
}

#[tokio::test]
async fn every_one_way_suite_shakes_hands_and_carries_data() {
    for suite in suites::ALL.iter().filter(|s| !s.needs_client_pair) {
        println!("{}", suite.name);
        with_suite(suite.name, false).await;
    }
}

#[tokio::test]
async fn every_suite_of_tlcp_works_with_client_certificates() {
    for suite in suites::ALL.iter().filter(|s| s.protocol == Protocol::Tlcp) {
        println!("{}", suite.name);
        with_suite(suite.name, true).await;
    }
}

#[tokio::test]
async fn every_suite_of_tls_works_with_client_certificates() {
    for suite in suites::ALL.iter().filter(|s| s.protocol == Protocol::Tls13) {
        println!("{}", suite.name);
        with_suite(suite.name, true).await;
    }
}
