//! Sessions: resumed where allowed, and nowhere else.

mod common;

use std::sync::Arc;
use std::time::Duration;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use common::*;

/// Two connections in a row; whether the second resumed, as both sides see it.
async fn twice(server: &AcceptorPolicy, client: &ConnectorPolicy) -> bool {
    let (acceptor, connector) = (
        Acceptor::new(server).unwrap(),
        Connector::new(client).unwrap(),
    );
    let (first_server, first_client) = shake(&acceptor, &connector, NAME).await;
    let (mut first_server, mut first_client) = (first_server.unwrap(), first_client.unwrap());
    assert!(!first_server.info().resumed);
    talk(&mut first_server, &mut first_client).await;
    drop((first_server, first_client));
    let (server, client) = shake(&acceptor, &connector, NAME).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    talk(&mut server, &mut client).await;
    assert_eq!(server.info().resumed, client.info().resumed);
    let whom = |s: &TlsStream<_>| {
        s.info()
            .peer
            .as_ref()
            .map(|p| (p.sign.subject(), p.encrypt.is_some()))
    };
    if server.info().resumed && server.info().client_verify == ClientVerify::Success {
        assert!(
            whom(&server).is_some(),
            "a resumed session still knows the client"
        );
        assert_eq!(
            whom(&server).unwrap().1,
            server.info().protocol == Protocol::Tlcp
        );
    }
    server.info().resumed
}

fn both(ca: &alb_certs::issue::Ca) -> [Arc<Identity>; 2] {
    [
        server_pair(ca, NAME),
        server_ordinary(ca, Algorithm::P256, NAME),
    ]
}

#[tokio::test]
async fn a_session_is_resumed_in_every_protocol() {
    let ca = authority();
    for protocol in Protocol::ALL {
        assert!(
            twice(&listener(&both(&ca)), &caller(&ca, protocol)).await,
            "{protocol}"
        );
    }
}

#[tokio::test]
async fn a_session_with_client_certificates_is_resumed_and_keeps_them() {
    let ca = authority();
    for protocol in Protocol::ALL {
        let alice = match protocol {
            Protocol::Tls12 => ordinary(
                &ca.issue(Algorithm::P256, &alb_certs::issue::Leaf::client("alice"))
                    .unwrap(),
            ),
            _ => client_pair(&ca, "alice"),
        };
        let server = AcceptorPolicy {
            client_auth: mutual(&ca),
            ..listener(&both(&ca))
        };
        let client = ConnectorPolicy {
            identity: Some(alice),
            ..caller(&ca, protocol)
        };
        assert!(twice(&server, &client).await, "{protocol}");
    }
}

#[tokio::test]
async fn a_lifetime_of_zero_switches_resumption_off() {
    let ca = authority();
    let server = AcceptorPolicy {
        session_lifetime: Duration::ZERO,
        ..listener(&both(&ca))
    };
    for protocol in Protocol::ALL {
        assert!(!twice(&server, &caller(&ca, protocol)).await, "{protocol}");
    }
}

#[tokio::test]
async fn a_session_of_one_name_is_not_resumed_under_another() {
    let ca = authority();
    let acceptor = Acceptor::new(&listener(&[
        server_pair(&ca, "a.test"),
        server_pair(&ca, "b.test"),
    ]))
    .unwrap();
    let mut policy = caller(&ca, Protocol::Tlcp);
    policy.verify = false;
    let connector = Connector::new(&policy).unwrap();
    for (name, resumed) in [
        ("a.test", false),
        ("a.test", true),
        ("b.test", false),
        ("b.test", true),
    ] {
        let (server, client) = shake(&acceptor, &connector, name).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        talk(&mut server, &mut client).await;
        assert_eq!(server.info().resumed, resumed, "{name}");
    }
}
