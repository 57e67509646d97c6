//! Pinned keys of servers: which key counts, and what is said about another.

mod common;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, Issued, Leaf};
use alb_gm::tls::*;
use common::*;

fn pin(issued: &Issued, digest: PinDigest) -> Pin {
    Pin::of(&issued.certificate.to_x509().unwrap(), digest).unwrap()
}

/// A server with both kinds of certificates: the listener, the pair's two halves, the ordinary one.
struct Server {
    ca: Ca,
    policy: AcceptorPolicy,
    sign: Issued,
    encrypt: Issued,
    ordinary: Issued,
}

impl Server {
    fn new() -> Server {
        let ca = authority();
        let pair = ca.issue_pair(&Leaf::server(NAME)).unwrap();
        let single = ca.issue(Algorithm::P256, &Leaf::server(NAME)).unwrap();
        Server {
            policy: listener(&[paired(&pair), ordinary(&single)]),
            sign: pair.sign,
            encrypt: pair.encrypt,
            ordinary: single,
            ca,
        }
    }

    /// The certificate it signs with.
    fn shown(&self, protocol: Protocol) -> &Issued {
        match protocol {
            Protocol::Tlcp => &self.sign,
            _ => &self.ordinary,
        }
    }

    fn caller(&self, protocol: Protocol, pins: &[Pin]) -> ConnectorPolicy {
        ConnectorPolicy {
            pins: pins.to_vec(),
            ..caller(&self.ca, protocol)
        }
    }
}

/// A key that no server here has.
fn strange(digest: PinDigest) -> Pin {
    let issued = authority().issue(Algorithm::P256, &Leaf::server(NAME));
    pin(&issued.unwrap(), digest)
}

const DIGESTS: [PinDigest; 2] = [PinDigest::Sha256, PinDigest::Sm3];

#[tokio::test]
async fn a_server_with_one_of_the_pinned_keys_is_believed() {
    let server = Server::new();
    for protocol in Protocol::ALL {
        for digest in DIGESTS {
            let right = pin(server.shown(protocol), digest);
            for pins in [
                vec![right.clone()],
                vec![strange(PinDigest::Sha256), strange(PinDigest::Sm3), right],
            ] {
                let client = server.caller(protocol, &pins);
                let (near, far) = meet(&server.policy, &client).await;
                talk(&mut near.unwrap(), &mut far.unwrap()).await;
            }
        }
    }
}

#[tokio::test]
async fn a_server_with_another_key_is_refused_however_good_its_certificate_is() {
    let server = Server::new();
    for protocol in Protocol::ALL {
        for digest in DIGESTS {
            let expected = strange(digest);
            let client = server.caller(protocol, std::slice::from_ref(&expected));
            let error = meet(&server.policy, &client).await.1.unwrap_err();
            assert_eq!(error.reason, Reason::CertificateNotPinned, "{error}");
            let seen = pin(server.shown(protocol), digest);
            for said in ["CN=gateway.test", &seen.to_string(), &expected.to_string()] {
                assert!(error.message.contains(said), "{said}: {error}");
            }
            assert!(error.help.contains("`pins`"), "{}", error.help);
        }
    }
}

#[tokio::test]
async fn of_a_tlcp_server_the_signing_key_is_pinned_and_not_the_one_for_encryption() {
    let server = Server::new();
    let client = server.caller(Protocol::Tlcp, &[pin(&server.encrypt, PinDigest::Sm3)]);
    let error = meet(&server.policy, &client).await.1.unwrap_err();
    assert_eq!(error.reason, Reason::CertificateNotPinned, "{error}");
}

#[tokio::test]
async fn pins_are_no_substitute_for_a_chain_and_count_where_nothing_else_is_verified() {
    let server = Server::new();
    for protocol in Protocol::ALL {
        let right = [pin(server.shown(protocol), PinDigest::Sha256)];
        let stranger = Ca::root(Algorithm::Sm2, "Somebody Else").unwrap();
        let believing_another = ConnectorPolicy {
            trust: Some(trust(&[&stranger])),
            ..server.caller(protocol, &right)
        };
        let error = meet(&server.policy, &believing_another)
            .await
            .1
            .unwrap_err();
        assert_eq!(error.reason, Reason::CertificateUnknownIssuer, "{error}");
        let unverified = |pins: &[Pin]| ConnectorPolicy {
            verify: false,
            ..server.caller(protocol, pins)
        };
        meet(&server.policy, &unverified(&right)).await.1.unwrap();
        let wrong = unverified(&[strange(PinDigest::Sha256)]);
        let error = meet(&server.policy, &wrong).await.1.unwrap_err();
        assert_eq!(error.reason, Reason::CertificateNotPinned, "{error}");
    }
}

#[tokio::test]
async fn the_key_of_a_resumed_session_is_looked_at() {
    let server = Server::new();
    for protocol in Protocol::ALL {
        let right = pin(server.shown(protocol), PinDigest::Sha256);
        let acceptor = Acceptor::new(&server.policy).unwrap();
        let connector = Connector::new(&server.caller(protocol, &[right])).unwrap();
        for resumed in [false, true] {
            let (near, far) = shake(&acceptor, &connector, NAME).await;
            let (mut near, mut far) = (near.unwrap(), far.unwrap());
            talk(&mut near, &mut far).await;
            assert_eq!(far.info().resumed, resumed, "{protocol}");
        }
    }
}

#[test]
fn a_pin_is_the_digest_of_the_public_key_info() {
    let ca = authority();
    let first = ca.issue(Algorithm::Sm2, &Leaf::server(NAME)).unwrap();
    let other = ca.issue(Algorithm::Sm2, &Leaf::server(NAME)).unwrap();
    let info = first.certificate.public_key.info();
    let by_hand = openssl::hash::hash(openssl::hash::MessageDigest::sha256(), info).unwrap();
    let expected = format!("sha256/{}", openssl::base64::encode_block(&by_hand));
    assert_eq!(pin(&first, PinDigest::Sha256).to_string(), expected);
    for digest in DIGESTS {
        assert_ne!(pin(&first, digest), pin(&other, digest));
    }
}
