//! Names and application protocols: who answers, and in which language.

mod common;

use alb_certs::Algorithm;
use alb_certs::issue::Leaf;
use alb_gm::tls::*;
use common::*;

/// The names on the certificate a client gets when it asks for `name`.
async fn answer(
    acceptor: &Acceptor,
    protocol: Protocol,
    name: &str,
) -> Result<Vec<String>, Reason> {
    let policy = ConnectorPolicy {
        protocols: vec![protocol],
        verify: false,
        ..ConnectorPolicy::default()
    };
    let (server, client) = shake(acceptor, &Connector::new(&policy).unwrap(), name).await;
    match client {
        Ok(client) => Ok(client.info().peer.shown().unwrap().sign.names()),
        Err(_) => Err(server.unwrap_err().reason),
    }
}

#[tokio::test]
async fn the_identity_is_chosen_by_name_and_protocol() {
    let ca = authority();
    let acceptor = Acceptor::new(&listener(&[
        server_pair(&ca, "first.test"),
        server_ordinary(&ca, Algorithm::Rsa2048, "first.test"),
        server_pair(&ca, "gm-only.test"),
        server_ordinary(&ca, Algorithm::P256, "tls-only.test"),
        server_pair(&ca, "*.wild.test"),
    ]))
    .unwrap();
    let names = |n: &str| Ok(vec![n.to_owned()]);
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "gm-only.test").await,
        names("gm-only.test")
    );
    assert_eq!(
        answer(&acceptor, Protocol::Tls12, "tls-only.test").await,
        names("tls-only.test")
    );
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "GM-ONLY.test").await,
        names("gm-only.test")
    );
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "a.wild.test").await,
        names("*.wild.test")
    );
    // A wildcard stands for one label.
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "a.b.wild.test").await,
        names("first.test")
    );
    // Nobody knows the name: the first identity of the kind answers.
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "nobody.test").await,
        names("first.test")
    );
    assert_eq!(
        answer(&acceptor, Protocol::Tls12, "nobody.test").await,
        names("first.test")
    );
    // The name is known, but not in this protocol; with an SM2 certificate TLS 1.3 is all there is.
    assert_eq!(
        answer(&acceptor, Protocol::Tlcp, "tls-only.test").await,
        Err(Reason::NoIdentity)
    );
    assert_eq!(
        answer(&acceptor, Protocol::Tls12, "gm-only.test").await,
        Err(Reason::NoCommonProtocol)
    );
}

#[tokio::test]
async fn an_address_as_a_name_is_not_sent_but_checked() {
    let ca = authority();
    let leaf = Leaf::server("by address").ip("127.0.0.1".parse().unwrap());
    let acceptor = Acceptor::new(&listener(&[paired(&ca.issue_pair(&leaf).unwrap())])).unwrap();
    let connector = Connector::new(&caller(&ca, Protocol::Tlcp)).unwrap();
    let (server, client) = shake(&acceptor, &connector, "127.0.0.1").await;
    client.unwrap();
    assert_eq!(server.unwrap().info().sni, None);
    let (_, client) = shake(&acceptor, &connector, "127.0.0.2").await;
    assert_eq!(client.unwrap_err().reason, Reason::CertificateWrongName);
}

#[tokio::test]
async fn the_servers_first_choice_of_application_protocol_wins() {
    let ca = authority();
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    let server = AcceptorPolicy {
        alpn: vec!["h2".into(), "http/1.1".into()],
        ..listener(&identities)
    };
    for protocol in Protocol::ALL {
        for (offered, agreed) in [
            (vec!["http/1.1", "h2"], Some("h2")),
            (vec!["http/1.1"], Some("http/1.1")),
            (vec![], None),
        ] {
            let mut client = caller(&ca, protocol);
            client.alpn = offered.iter().map(|s| s.to_string()).collect();
            let (server, client) = meet(&server, &client).await;
            assert_eq!(server.unwrap().info().alpn.as_deref(), agreed, "{protocol}");
            assert_eq!(client.unwrap().info().alpn.as_deref(), agreed, "{protocol}");
        }
    }
}

#[tokio::test]
async fn a_client_of_another_application_protocol_is_refused() {
    let ca = authority();
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    let server = AcceptorPolicy {
        alpn: vec!["h2".into()],
        ..listener(&identities)
    };
    for protocol in Protocol::ALL {
        let client = ConnectorPolicy {
            alpn: vec!["imap".into()],
            ..caller(&ca, protocol)
        };
        let (server, client) = meet(&server, &client).await;
        let error = server.unwrap_err();
        assert_eq!(error.reason, Reason::NoCommonAlpn, "{protocol}");
        assert_eq!(error.offered.alpn, ["imap"]);
        assert_eq!(client.unwrap_err().reason, Reason::PeerAlert);
    }
}

#[tokio::test]
async fn every_group_of_the_contract_can_be_negotiated() {
    let ca = authority();
    let server = listener(&[server_ordinary(&ca, Algorithm::P256, NAME)]);
    for group in ["curveSM2", "X25519", "P-256", "X25519MLKEM768"] {
        let client = ConnectorPolicy {
            groups: vec![group.into()],
            ..caller(&ca, Protocol::Tls13)
        };
        let (server, client) = meet(&server, &client).await;
        assert_eq!(server.unwrap().info().group, Some(group));
        assert_eq!(client.unwrap().info().group, Some(group));
    }
}
