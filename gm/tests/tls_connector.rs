//! Towards upstreams: what the connector refuses, and what it says.

mod common;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, CrlPlan, Leaf, Revoked, Role, Validity};
use alb_gm::tls::*;
use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// What the client says about a server.
async fn refuses(server: &AcceptorPolicy, client: &ConnectorPolicy) -> HandshakeError {
    meet(server, client).await.1.unwrap_err()
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let (ca, other) = (
        authority(),
        Ca::root(Algorithm::Sm2, "Somebody Else").unwrap(),
    );
    let server = listener(&[
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ]);
    for protocol in Protocol::ALL {
        let error = refuses(&server, &caller(&other, protocol)).await;
        assert_eq!(error.reason, Reason::CertificateUnknownIssuer, "{error}");
        assert!(
            error
                .message
                .contains("the server's certificate `CN=gateway.test"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_with_another_name_is_refused() {
    let ca = authority();
    let server = listener(&[
        server_pair(&ca, "other.test"),
        server_ordinary(&ca, Algorithm::P256, "other.test"),
    ]);
    for protocol in Protocol::ALL {
        let error = refuses(&server, &caller(&ca, protocol)).await;
        assert_eq!(error.reason, Reason::CertificateWrongName, "{error}");
        assert!(error.message.contains("`other.test`"), "{error}");
        let client = ConnectorPolicy {
            server_name: Some("other.test".into()),
            ..caller(&ca, protocol)
        };
        meet(&server, &client).await.1.unwrap();
    }
}

#[tokio::test]
async fn both_certificates_of_a_pair_are_verified() {
    let (ca, other) = (authority(), Ca::root(Algorithm::Sm2, "Test Root").unwrap());
    let leaf = Leaf::server(NAME).dns(NAME);
    let (good, bad) = (
        ca.issue_pair(&leaf).unwrap(),
        other.issue_pair(&leaf).unwrap(),
    );
    for (sign, encrypt) in [(&good.sign, &bad.encrypt), (&bad.sign, &good.encrypt)] {
        let identity = Identity::pair(certified(sign), certified(encrypt)).unwrap();
        let error = refuses(&listener(&[identity.into()]), &caller(&ca, Protocol::Tlcp)).await;
        assert!(
            matches!(
                error.reason,
                Reason::CertificateUnknownIssuer | Reason::CertificateInvalid
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_expired_revoked_or_client_certificate_does_not_make_a_server() {
    let ca = authority();
    let leaf = || Leaf::server(NAME).dns(NAME);
    let revoked = ca.issue_pair(&leaf()).unwrap();
    let list = ca
        .crl(
            &CrlPlan::weekly(1),
            &[Revoked::now(&revoked.encrypt.serial)],
        )
        .unwrap();
    for (pair, reason) in [
        (
            ca.issue_pair(&leaf().valid(Validity::expired())).unwrap(),
            Reason::CertificateExpired,
        ),
        (
            ca.issue_pair(&leaf().role(Role::Client)).unwrap(),
            Reason::CertificateWrongUsage,
        ),
        (revoked, Reason::CertificateRevoked),
    ] {
        let trust = Some(revoking(&[&ca], &[&list]));
        let client = ConnectorPolicy {
            trust,
            ..caller(&ca, Protocol::Tlcp)
        };
        let error = refuses(&listener(&[paired(&pair)]), &client).await;
        assert_eq!(error.reason, reason, "{error}");
    }
}

#[tokio::test]
async fn verification_can_be_switched_off_to_look_at_a_server() {
    let ca = authority();
    let client = ConnectorPolicy {
        verify: false,
        protocols: vec![Protocol::Tlcp],
        ..ConnectorPolicy::default()
    };
    let (_, client) = meet(&listener(&[server_pair(&ca, "other.test")]), &client).await;
    let client = client.unwrap();
    assert!(matches!(client.info().peer, Peer::Unchecked(_)));
    assert_eq!(
        client.info().peer.shown().unwrap().sign.names(),
        ["other.test"]
    );
}

#[tokio::test]
async fn tlcp_and_tls_in_one_connector_are_refused() {
    let policy = ConnectorPolicy {
        protocols: vec![Protocol::Tlcp, Protocol::Tls13],
        ..ConnectorPolicy::default()
    };
    assert!(
        Connector::new(&policy)
            .err()
            .unwrap()
            .message
            .contains("one hello")
    );
}

#[tokio::test]
async fn a_body_cut_short_by_the_network_is_an_error() {
    let ca = authority();
    for protocol in Protocol::ALL {
        let server = listener(&[
            server_pair(&ca, NAME),
            server_ordinary(&ca, Algorithm::P256, NAME),
        ]);
        let (acceptor, connector) = (
            Acceptor::new(&server).unwrap(),
            Connector::new(&caller(&ca, protocol)).unwrap(),
        );
        let (near, mut far) = duplex(64 * 1024);
        let server = async {
            let mut server = acceptor.accept(&mut far).await.unwrap();
            server.write_all(b"half of ").await.unwrap();
        };
        let (_, client) = tokio::join!(server, connector.connect(near, NAME));
        drop(far); // no close_notify
        let mut body = Vec::new();
        let error = client.unwrap().read_to_end(&mut body).await.unwrap_err();
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::UnexpectedEof,
            "{protocol} {error}"
        );
        assert_eq!(body, b"half of ");
    }
}
