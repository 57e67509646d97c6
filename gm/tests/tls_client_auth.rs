//! Client certificates: who is let in, who is not, and what is said about it.

mod common;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, CrlPlan, Leaf, Revoked, Role, Validity};
use alb_gm::tls::*;
use common::*;

/// A mutual TLCP listener meets a client; what the listener says, having told the client with an alert.
async fn refused(
    auth: ClientAuth,
    ca: &Ca,
    identity: Option<std::sync::Arc<Identity>>,
) -> HandshakeError {
    let server = AcceptorPolicy {
        client_auth: auth,
        ..listener(&[server_pair(ca, NAME)])
    };
    let client = ConnectorPolicy {
        identity,
        ..caller(ca, Protocol::Tlcp)
    };
    let (server, client) = meet(&server, &client).await;
    let told = client.unwrap_err();
    assert_eq!(told.reason, Reason::PeerAlert, "{told}");
    let error = server.unwrap_err();
    assert!(!error.help.is_empty(), "{error}");
    assert_eq!(error.offered.versions, ["TLCPv1.1"]);
    assert_eq!(error.offered.sni.as_deref(), Some(NAME));
    error
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_when_one_is_required() {
    let ca = authority();
    let error = refused(mutual(&ca), &ca, None).await;
    assert_eq!(error.reason, Reason::CertificateMissing);
    assert!(
        error.message.contains("did not show a certificate"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_when_it_is_optional() {
    let ca = authority();
    let auth = ClientAuth {
        mode: ClientAuthMode::Optional,
        ..mutual(&ca)
    };
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    let server = AcceptorPolicy {
        client_auth: auth,
        ..listener(&identities)
    };
    for protocol in Protocol::ALL {
        let (server, _client) = meet(&server, &caller(&ca, protocol)).await;
        assert!(matches!(server.unwrap().info().peer, Peer::None));
    }
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused() {
    let (ca, other) = (
        authority(),
        Ca::root(Algorithm::Sm2, "Somebody Else").unwrap(),
    );
    let error = refused(mutual(&ca), &ca, Some(client_pair(&other, "mallory"))).await;
    assert_eq!(error.reason, Reason::CertificateUnknownIssuer);
    assert!(
        error.message.contains("CN=mallory") && error.message.contains("CN=Somebody Else"),
        "{error}"
    );
}

#[tokio::test]
async fn an_optional_certificate_still_has_to_be_good() {
    let (ca, other) = (
        authority(),
        Ca::root(Algorithm::Sm2, "Somebody Else").unwrap(),
    );
    let auth = ClientAuth {
        mode: ClientAuthMode::Optional,
        ..mutual(&ca)
    };
    let error = refused(auth, &ca, Some(client_pair(&other, "mallory"))).await;
    assert_eq!(error.reason, Reason::CertificateUnknownIssuer);
}

#[tokio::test]
async fn an_expired_or_premature_client_is_refused() {
    let ca = authority();
    for (validity, reason) in [
        (Validity::expired(), Reason::CertificateExpired),
        (Validity::not_yet(), Reason::CertificateNotYetValid),
    ] {
        let pair = ca
            .issue_pair(&Leaf::client("alice").valid(validity))
            .unwrap();
        let error = refused(mutual(&ca), &ca, Some(paired(&pair))).await;
        assert_eq!(error.reason, reason);
        assert!(
            error.message.contains("CN=alice") && error.message.contains("20"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_revoked_client_is_refused_and_others_are_not() {
    let ca = authority();
    let (alice, bob) = (
        ca.issue_pair(&Leaf::client("alice")).unwrap(),
        client_pair(&ca, "bob"),
    );
    let list = ca
        .crl(&CrlPlan::weekly(1), &[Revoked::now(&alice.sign.serial)])
        .unwrap();
    let auth = ClientAuth {
        trust: revoking(&[&ca], &[&list]),
        ..mutual(&ca)
    };
    let error = refused(auth.clone(), &ca, Some(paired(&alice))).await;
    assert_eq!(error.reason, Reason::CertificateRevoked);
    assert!(
        error.message.contains("CN=alice") && error.message.contains("CN=Test Root"),
        "{error}"
    );
    let server = AcceptorPolicy {
        client_auth: auth,
        ..listener(&[server_pair(&ca, NAME)])
    };
    let client = ConnectorPolicy {
        identity: Some(bob),
        ..caller(&ca, Protocol::Tlcp)
    };
    meet(&server, &client).await.0.unwrap();
}

#[tokio::test]
async fn a_client_whose_issuer_has_no_list_is_refused_when_lists_are_configured() {
    let (ca, second) = (
        authority(),
        Ca::root(Algorithm::Sm2, "Second Root").unwrap(),
    );
    let list = ca.crl(&CrlPlan::weekly(1), &[]).unwrap();
    let auth = ClientAuth {
        trust: revoking(&[&ca, &second], &[&list]),
        ..mutual(&ca)
    };
    let error = refused(auth, &ca, Some(client_pair(&second, "carol"))).await;
    assert_eq!(error.reason, Reason::RevocationUnknown);
}

#[tokio::test]
async fn a_server_certificate_is_no_client_certificate() {
    let ca = authority();
    let pair = ca
        .issue_pair(&Leaf::client("alice").role(Role::Server))
        .unwrap();
    let error = refused(mutual(&ca), &ca, Some(paired(&pair))).await;
    assert_eq!(error.reason, Reason::CertificateWrongUsage);
}

#[tokio::test]
async fn a_chain_longer_than_the_depth_is_refused() {
    let ca = authority();
    let deep = ca.intermediate("One").unwrap();

    let auth = ClientAuth {
        depth: 0,
        ..mutual(&ca)
    };
    let alice = paired(&deep.issue_pair(&Leaf::client("alice")).unwrap());
    let error = refused(auth, &ca, Some(alice.clone())).await;
    assert_eq!(error.reason, Reason::CertificateChainTooLong, "{error}");
    let server = AcceptorPolicy {
        client_auth: mutual(&ca),
        ..listener(&[server_pair(&ca, NAME)])
    };
    let client = ConnectorPolicy {
        identity: Some(alice),
        ..caller(&ca, Protocol::Tlcp)
    };
    meet(&server, &client).await.0.unwrap();
}

#[tokio::test]
async fn a_client_with_signing_and_encryption_exchanged_is_told_so() {
    let ca = authority();
    let alice = ca.issue_pair(&Leaf::client("alice")).unwrap();
    let server = AcceptorPolicy {
        client_auth: mutual(&ca),
        ..listener(&[server_pair(&ca, NAME)])
    };
    let words = tlcp_client_showing(&[&alice.encrypt, &alice.sign]);
    let (error, answer) = say(&server, &words).await;
    assert_eq!(error.reason, Reason::CertificateWrongUsage);
    assert!(error.message.contains("exchanged"), "{error}");
    assert!(error.help.contains("exchange the two"), "{}", error.help);
    assert_eq!(
        answer[answer.len() - 7..],
        [21, 1, 1, 0, 2, 2, 47],
        "illegal_parameter tells the client"
    );
}

#[tokio::test]
async fn an_ecdhe_client_at_a_one_way_listener_is_told_what_is_missing() {
    let ca = authority();
    let client = ConnectorPolicy {
        suites: vec!["ECDHE_SM4_GCM_SM3".into(), "ECDHE_SM4_CBC_SM3".into()],
        identity: Some(client_pair(&ca, "alice")),
        ..caller(&ca, Protocol::Tlcp)
    };
    let (server, client) = meet(&listener(&[server_pair(&ca, NAME)]), &client).await;
    let error = server.unwrap_err();
    assert_eq!(error.reason, Reason::NoCommonSuite);
    assert!(error.help.contains("client_auth"), "{error}");
    assert_eq!(
        error.offered.suites,
        ["ECDHE_SM4_GCM_SM3", "ECDHE_SM4_CBC_SM3"]
    );
    assert_eq!(client.unwrap_err().reason, Reason::PeerAlert);
}

#[tokio::test]
async fn an_authority_in_between_needs_no_list_of_its_root() {
    let ca = authority();
    let between = ca.intermediate("Between").unwrap();
    let (alice, bob) = (
        between.issue_pair(&Leaf::client("alice")).unwrap(),
        between.issue_pair(&Leaf::client("bob")).unwrap(),
    );
    let list = between
        .crl(&CrlPlan::weekly(1), &[Revoked::now(&bob.sign.serial)])
        .unwrap();
    let auth = ClientAuth {
        trust: revoking(&[&ca], &[&list]),
        ..mutual(&ca)
    };
    let error = refused(auth.clone(), &ca, Some(paired(&bob))).await;
    assert_eq!(error.reason, Reason::CertificateRevoked);
    let server = AcceptorPolicy {
        client_auth: auth,
        ..listener(&[server_pair(&ca, NAME)])
    };
    let client = ConnectorPolicy {
        identity: Some(paired(&alice)),
        ..caller(&ca, Protocol::Tlcp)
    };
    let (server, _client) = meet(&server, &client).await;
    assert!(matches!(server.unwrap().info().peer, Peer::Verified(_)));
}
