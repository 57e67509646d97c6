//! Sessions: resumed where allowed, and nowhere else.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_certs::Algorithm;
use alb_certs::issue::{CrlPlan, Leaf, Revoked, Validity};
use alb_certs::time::Time;
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
            .verified()
            .map(|p| (p.sign.subject(), p.encrypt.is_some()))
    };
    if server.info().resumed && server.info().peer.verdict() == "SUCCESS" {
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

/// A client that shows a certificate of `leaf`.
fn showing(ca: &alb_certs::issue::Ca, protocol: Protocol, leaf: &Leaf) -> Connector {
    let identity = match protocol {
        Protocol::Tlcp => paired(&ca.issue_pair(leaf).unwrap()),
        _ => ordinary(&ca.issue(Algorithm::P256, leaf).unwrap()),
    };
    let policy = ConnectorPolicy {
        identity: Some(identity),
        ..caller(ca, protocol)
    };
    Connector::new(&policy).unwrap()
}

/// A listener of all protocols that requires certificates.
fn asking(ca: &alb_certs::issue::Ca, trust: Trust) -> Acceptor {
    let policy = AcceptorPolicy {
        client_auth: ClientAuth {
            trust,
            ..mutual(ca)
        },
        ..listener(&both(ca))
    };
    Acceptor::new(&policy).unwrap()
}

/// A connection that succeeds; whether it resumed.
async fn resumes(acceptor: &Acceptor, connector: &Connector) -> bool {
    let (server, client) = shake(acceptor, connector, NAME).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    talk(&mut server, &mut client).await;
    server.info().resumed
}

/// Goes on connecting until that fails, and says why; nothing else shows that a second has passed.
async fn until_refused(acceptor: &Acceptor, connector: &Connector) -> Reason {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        match shake(acceptor, connector, NAME).await {
            (Err(refused), _) => return refused.reason,
            (Ok(mut server), Ok(mut client)) => talk(&mut server, &mut client).await,
            (Ok(_), Err(_)) => {}
        }
    }
    panic!("a session has outlived the certificate");
}

#[tokio::test]
async fn no_chain_of_resumptions_outlives_the_certificate() {
    let ca = authority();
    for protocol in Protocol::ALL {
        let now = Time::now();
        let validity = Validity {
            not_before: now.plus(-300),
            not_after: now.plus(3),
        };
        let connector = showing(&ca, protocol, &Leaf::client("alice").valid(validity));
        let acceptor = asking(&ca, trust(&[&ca]));
        assert!(!resumes(&acceptor, &connector).await, "{protocol}");
        assert!(resumes(&acceptor, &connector).await, "{protocol}");
        let reason = until_refused(&acceptor, &connector).await;
        assert_eq!(reason, Reason::CertificateExpired, "{protocol}");
    }
}

#[tokio::test]
async fn a_session_does_not_survive_new_authorities_or_a_new_list() {
    let ca = authority();
    let other = alb_certs::issue::Ca::root(Algorithm::Sm2, "Somebody Else").unwrap();
    for protocol in Protocol::ALL {
        let leaf = Leaf::client("alice");
        let pair = ca.issue_pair(&leaf).unwrap();
        let one = ca.issue(Algorithm::P256, &leaf).unwrap();
        let revoked = [&pair.sign, &pair.encrypt, &one].map(|i| Revoked::now(&i.serial));
        let list = ca.crl(&CrlPlan::weekly(1), &revoked).unwrap();
        let identity = match protocol {
            Protocol::Tlcp => paired(&pair),
            _ => ordinary(&one),
        };
        for (changed, reason) in [
            (trust(&[&other]), Reason::CertificateUnknownIssuer),
            (revoking(&[&ca], &[&list]), Reason::CertificateRevoked),
        ] {
            let connector = Connector::new(&ConnectorPolicy {
                identity: Some(identity.clone()),
                ..caller(&ca, protocol)
            })
            .unwrap();
            assert!(!resumes(&asking(&ca, trust(&[&ca])), &connector).await);
            let (refused, _) = shake(&asking(&ca, changed), &connector, NAME).await;
            assert_eq!(refused.unwrap_err().reason, reason, "{protocol}");
        }
    }
}
