//! Policies that cannot be carried out, and what is said about them; chains.

mod common;

use std::sync::Arc;

use alb_certs::Algorithm;
use alb_certs::issue::Ca;
use alb_gm::tls::*;
use common::*;

/// The sentence and the remedy for a listener.
fn refusal(policy: &AcceptorPolicy) -> (String, String) {
    let error = Acceptor::new(policy).err().expect("it should be refused");
    (error.message, error.help)
}

#[test]
fn a_protocol_needs_an_identity_that_can_serve_it() {
    let ca = authority();
    let (pair, single) = (
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::Rsa2048, NAME),
    );
    for (protocol, identity, needed) in [
        (Protocol::Tlcp, &single, "an SM2 signing pair"),
        (Protocol::Tls12, &pair, "an RSA or ECDSA certificate"),
    ] {
        let policy = AcceptorPolicy {
            protocols: vec![protocol],
            ..listener(std::slice::from_ref(identity))
        };
        let (message, help) = refusal(&policy);
        assert!(message.contains(protocol.as_str()), "{message}");
        assert!(help.contains(needed), "{help}");
    }
    assert!(refusal(&listener(&[])).0.contains("needs an identity"));
    let of = |identities: &[Arc<Identity>]| {
        Acceptor::new(&listener(identities))
            .unwrap()
            .protocols()
            .to_vec()
    };
    assert_eq!(
        of(std::slice::from_ref(&pair)),
        [Protocol::Tlcp, Protocol::Tls13]
    );
    assert_eq!(of(&[single]), [Protocol::Tls12, Protocol::Tls13]);
}

#[test]
fn unknown_suites_and_groups_are_answered_with_the_known_ones() {
    let ca = authority();
    let identities = [server_ordinary(&ca, Algorithm::P256, NAME)];
    let (message, help) = refusal(&AcceptorPolicy {
        suites: vec!["SM4_GCM".into()],
        ..listener(&identities)
    });
    assert!(
        message.contains("`SM4_GCM`") && help.contains("ECC_SM4_GCM_SM3"),
        "{message} {help}"
    );
    let (message, help) = refusal(&AcceptorPolicy {
        groups: vec!["P-257".into()],
        ..listener(&identities)
    });
    assert!(
        message.contains("`P-257`") && help.contains("curveSM2"),
        "{message} {help}"
    );
}

#[test]
fn client_certificates_need_an_authority_and_ecdhe_needs_client_certificates() {
    let ca = authority();
    let auth = ClientAuth {
        mode: ClientAuthMode::Required,
        ..ClientAuth::default()
    };
    let (message, _) = refusal(&AcceptorPolicy {
        client_auth: auth,
        ..listener(&[server_pair(&ca, NAME)])
    });
    assert!(message.contains("no authority"), "{message}");
    let suites = vec!["ECDHE_SM4_GCM_SM3".to_owned()];
    let (message, help) = refusal(&AcceptorPolicy {
        suites: suites.clone(),
        ..listener(&[server_pair(&ca, NAME)])
    });
    assert!(
        message.contains("needs client certificates") && help.contains("client_auth"),
        "{message}"
    );
    let client = ConnectorPolicy {
        suites,
        ..caller(&ca, Protocol::Tlcp)
    };
    assert!(
        Connector::new(&client)
            .err()
            .unwrap()
            .message
            .contains("encryption certificate of ours")
    );
}

#[tokio::test]
async fn each_certificate_is_sent_with_its_own_intermediates() {
    let (gm, web) = (authority(), Ca::root(Algorithm::P256, "Web Root").unwrap());
    let (gm_between, web_between) = (
        gm.intermediate("GM Between").unwrap(),
        web.intermediate("Web Between").unwrap(),
    );
    let identities = [
        server_pair(&gm_between, NAME),
        server_ordinary(&web_between, Algorithm::P256, NAME),
    ];
    for (protocol, root) in [
        (Protocol::Tlcp, &gm),
        (Protocol::Tls12, &web),
        (Protocol::Tls13, &web),
    ] {
        let (server, client) = meet(&listener(&identities), &caller(root, protocol)).await;
        client.unwrap_or_else(|e| panic!("{protocol}: {e}"));
        server.unwrap();
    }
}
