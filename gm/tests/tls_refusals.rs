//! Visitors who came to the wrong door: each gets an answer, and the log a reason.

mod common;

use std::time::Duration;

use alb_certs::Algorithm;
use alb_gm::tls::*;
use common::*;
use tokio::io::duplex;

fn tlcp_only() -> AcceptorPolicy {
    listener(&[server_pair(&authority(), NAME)])
}

fn tls_only() -> AcceptorPolicy {
    listener(&[server_ordinary(&authority(), Algorithm::P256, NAME)])
}

#[tokio::test]
async fn a_tls_client_at_a_tlcp_only_listener_gets_a_tls_alert() {
    let policy = AcceptorPolicy {
        protocols: vec![Protocol::Tlcp],
        ..tlcp_only()
    };
    let client = ConnectorPolicy {
        verify: false,
        ..ConnectorPolicy::default()
    };
    let (server, client) = meet(&policy, &client).await;
    let error = server.unwrap_err();
    assert_eq!(error.reason, Reason::NoCommonProtocol);
    assert!(
        error
            .message
            .contains("a TLS client came to a listener that speaks TLCPv1.1 only"),
        "{error}"
    );
    assert!(error.help.contains("tls1.3"), "{}", error.help);
    assert_eq!(error.offered.versions, ["TLSv1.3", "TLSv1.2"]);
    let told = client.unwrap_err();
    assert!(told.message.contains("alert 70"), "{told}");
}

#[tokio::test]
async fn a_tlcp_client_at_a_tls_only_listener_gets_a_tlcp_alert() {
    let client = ConnectorPolicy {
        protocols: vec![Protocol::Tlcp],
        verify: false,
        ..ConnectorPolicy::default()
    };
    let (server, client) = meet(&tls_only(), &client).await;
    let error = server.unwrap_err();
    assert_eq!(error.reason, Reason::NoCommonProtocol);
    assert!(error.help.contains("SM2 pair"), "{}", error.help);
    let told = client.unwrap_err();
    assert!(told.message.contains("alert 70"), "{told}");
}

#[tokio::test]
async fn no_common_suite_is_said_on_both_sides() {
    for protocol in Protocol::ALL {
        let [ours, theirs] = match protocol {
            Protocol::Tlcp => ["ECC_SM4_GCM_SM3", "ECC_SM4_CBC_SM3"],
            Protocol::Tls12 => [
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            ],
            Protocol::Tls13 => ["TLS_SM4_GCM_SM3", "TLS_AES_128_GCM_SHA256"],
        };
        let policy = if protocol == Protocol::Tlcp {
            tlcp_only()
        } else {
            tls_only()
        };
        let server = AcceptorPolicy {
            suites: vec![ours.into()],
            ..policy
        };
        let client = ConnectorPolicy {
            protocols: vec![protocol],
            suites: vec![theirs.into()],
            verify: false,
            ..ConnectorPolicy::default()
        };
        let (server, client) = meet(&server, &client).await;
        let error = server.unwrap_err();
        assert_eq!(error.reason, Reason::NoCommonSuite, "{error}");
        assert!(
            error.offered.suites.contains(&theirs.to_owned()),
            "{:?}",
            error.offered
        );
        assert_eq!(client.unwrap_err().reason, Reason::PeerAlert);
    }
}

#[tokio::test]
async fn plain_http_gets_an_answer_it_can_read() {
    let (error, answer) = say(
        &tlcp_only(),
        b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n",
    )
    .await;
    assert_eq!(error.reason, Reason::PlainHttp);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
}

#[tokio::test]
async fn strangers_get_an_alert() {
    for (words, reason, alert) in [
        (
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            Reason::NotTls,
            [21, 3, 3, 0, 2, 2, 50],
        ),
        (
            &[22, 2, 0, 0, 4, 1, 0, 0, 0],
            Reason::NoCommonProtocol,
            [21, 3, 3, 0, 2, 2, 70],
        ),
        (
            &[22, 1, 1, 0, 4, 2, 0, 0, 0],
            Reason::MalformedHello,
            [21, 1, 1, 0, 2, 2, 50],
        ),
        (
            &[22, 3, 1, 0, 4, 1, 9, 0, 0],
            Reason::MalformedHello,
            [21, 3, 3, 0, 2, 2, 50],
        ),
    ] {
        let (error, answer) = say(&tls_only(), words).await;
        assert_eq!(
            (error.reason, answer.as_slice()),
            (reason, &alert[..]),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_early_is_told_from_one_that_never_spoke() {
    let (error, _) = say(&tls_only(), b"").await;
    assert_eq!(error.reason, Reason::PeerClosed);
    assert!(error.message.contains("without a word"), "{error}");
    let (error, _) = say(&tls_only(), &[22, 3, 1, 1, 0, 1]).await;
    assert_eq!(error.reason, Reason::PeerClosed);
    assert!(error.message.contains("6 bytes"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let policy = AcceptorPolicy {
        handshake_timeout: Duration::from_secs(3),
        ..tls_only()
    };
    let acceptor = Acceptor::new(&policy).unwrap();
    let (_near, far) = duplex(1024);
    let before = tokio::time::Instant::now();
    let error = acceptor.accept(far).await.unwrap_err();
    assert_eq!(error.reason, Reason::Timeout);
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_tls_hello_with_tlcp_suites_is_refused_only_where_tlcp_is_preferred() {
    let hello = &tls12_hello(&[0xE053, 0xE013, 0xC02B]);
    let ca = authority();
    let identities = [
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
    ];
    let preferring = AcceptorPolicy {
        prefer_gm: true,
        ..listener(&identities)
    };
    let (error, answer) = say(&preferring, hello).await;
    assert_eq!(error.reason, Reason::PreferGm);
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 40]);
    let (error, answer) = say(&listener(&identities), hello).await;
    assert_eq!(
        error.reason,
        Reason::PeerClosed,
        "the handshake goes on until the client hangs up"
    );
    assert_eq!(answer[..2], [22, 3]);
}
