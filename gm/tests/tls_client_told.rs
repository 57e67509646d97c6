//! Client certificates where a bad one is told inside of the connection: it is nobody's, and its session ends with it.

mod common;

use std::sync::Arc;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, CrlPlan, Issued, Leaf, Pair, Revoked, Role, Validity};
use alb_gm::tls::*;
use common::*;

/// A listener of all protocols that tells clients what is wrong.
fn telling(ca: &Ca, trust: Trust) -> Acceptor {
    let identities = [
        server_pair(ca, NAME),
        server_ordinary(ca, Algorithm::P256, NAME),
    ];
    let policy = AcceptorPolicy {
        client_auth: ClientAuth {
            mode: ClientAuthMode::Told,
            trust,
            depth: 3,
        },
        ..listener(&identities)
    };
    Acceptor::new(&policy).unwrap()
}

/// A client of one protocol with the certificates of `leaf`, and what has been issued for it.
fn client(ca: &Ca, issuer: &Ca, protocol: Protocol, leaf: &Leaf) -> (Connector, Vec<Issued>) {
    let (identity, issued) = match protocol {
        Protocol::Tlcp => {
            let pair: Pair = issuer.issue_pair(leaf).unwrap();
            (paired(&pair), vec![pair.sign, pair.encrypt])
        }
        _ => {
            let one = issuer.issue(Algorithm::P256, leaf).unwrap();
            (ordinary(&one), vec![one])
        }
    };
    let policy = ConnectorPolicy {
        identity: Some(identity),
        ..caller(ca, protocol)
    };
    (Connector::new(&policy).unwrap(), issued)
}

/// Two connections in a row get through; neither client is anybody, and the second resumed nothing.
async fn rejected_twice(acceptor: &Acceptor, connector: &Connector) -> Arc<Rejection> {
    let mut seen = None;
    for _ in 0..2 {
        let (server, client) = shake(acceptor, connector, NAME).await;
        let (mut server, mut client) = (server.unwrap(), client.unwrap());
        talk(&mut server, &mut client).await;
        let info = server.info();
        assert!(!info.resumed && !client.info().resumed, "{}", info.protocol);
        assert!(info.peer.verified().is_none(), "{}", info.protocol);
        assert_eq!(info.peer.verdict(), "FAILED");
        let Peer::Rejected(rejection) = &info.peer else {
            panic!("{:?}", info.peer);
        };
        seen = Some(Arc::clone(rejection));
    }
    seen.unwrap()
}

#[tokio::test]
async fn a_bad_certificate_gets_through_as_nobodys_and_leaves_no_session() {
    let ca = authority();
    let [sm2, p256] = [Algorithm::Sm2, Algorithm::P256]
        .map(|algorithm| Ca::root(algorithm, "Somebody Else").unwrap());
    let leaf = Leaf::client("mallory");
    let cases = [
        (None, leaf.clone(), Reason::CertificateUnknownIssuer),
        (
            Some(&ca),
            leaf.clone().valid(Validity::expired()),
            Reason::CertificateExpired,
        ),
        (
            Some(&ca),
            leaf.clone().valid(Validity::not_yet()),
            Reason::CertificateNotYetValid,
        ),
        (
            Some(&ca),
            leaf.clone().role(Role::Server),
            Reason::CertificateWrongUsage,
        ),
    ];
    for protocol in Protocol::ALL {
        for (issuer, leaf, reason) in &cases {
            let other = match protocol {
                Protocol::Tlcp => &sm2,
                _ => &p256,
            };
            let (connector, _) = client(&ca, issuer.unwrap_or(other), protocol, leaf);
            let acceptor = telling(&ca, trust(&[&ca]));
            let rejection = rejected_twice(&acceptor, &connector).await;
            assert_eq!(rejection.reason, *reason, "{protocol}");
            assert!(rejection.message.contains("CN=mallory"), "{rejection:?}");
            assert!(!rejection.help.is_empty(), "{rejection:?}");
            assert_eq!(rejection.shown.sign.subject(), "CN=mallory");
        }
    }
}

#[tokio::test]
async fn a_revoked_certificate_gets_through_as_nobodys_and_leaves_no_session() {
    let ca = authority();
    for protocol in Protocol::ALL {
        let (connector, issued) = client(&ca, &ca, protocol, &Leaf::client("mallory"));
        let revoked: Vec<_> = issued.iter().map(|i| Revoked::now(&i.serial)).collect();
        let list = ca.crl(&CrlPlan::weekly(1), &revoked).unwrap();
        let acceptor = telling(&ca, revoking(&[&ca], &[&list]));
        let rejection = rejected_twice(&acceptor, &connector).await;
        assert_eq!(rejection.reason, Reason::CertificateRevoked, "{protocol}");
    }
}

#[tokio::test]
async fn a_good_certificate_is_its_owners_and_none_is_nobodys() {
    let ca = authority();
    let acceptor = telling(&ca, trust(&[&ca]));
    for protocol in Protocol::ALL {
        let (connector, _) = client(&ca, &ca, protocol, &Leaf::client("alice"));
        for resumed in [false, true] {
            let (server, client) = shake(&acceptor, &connector, NAME).await;
            let (mut server, mut client) = (server.unwrap(), client.unwrap());
            talk(&mut server, &mut client).await;
            assert_eq!(server.info().resumed, resumed, "{protocol}");
            let owner = server.info().peer.verified().unwrap();
            assert_eq!(owner.sign.subject(), "CN=alice");
        }
        let connector = Connector::new(&caller(&ca, protocol)).unwrap();
        let (server, _client) = shake(&acceptor, &connector, NAME).await;
        assert!(matches!(server.unwrap().info().peer, Peer::None));
    }
}
