//! Mail clients whose certificates are not good: told so in their protocol, let in nowhere, known to nobody.

use alb_certs::issue::{Leaf, Role, Validity};
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};
use alb_gm::tls::Protocol;
use serde_json::Value;

/// What each protocol says before it closes.
const ENDS: [(&str, &str); 3] = [
    ("imap", "* BYE SSL certificate error\r\n"),
    ("pop3", "-ERR SSL certificate error\r\n"),
    ("smtp", "421 4.7.1 SSL certificate error\r\n"),
];

/// The clients: the files of a pair and of an ordinary certificate, and why each is refused.
const CLIENTS: [(&str, &str); 3] = [
    ("expired", "certificate_expired"),
    ("later", "certificate_not_yet_valid"),
    ("server-only", "certificate_wrong_usage"),
];

/// A listener of each protocol behind which EXTERNAL stands for the user of the certificate.
fn config(mode: &str, crl: &str) -> String {
    let one = |protocol: &str| {
        format!(
            "[[mail]]\nname = \"{protocol}\"\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"behind\"\n\
             capabilities = [\"X\"]\ntls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\", \
             client_auth = {{ mode = \"{mode}\", ca = [\"$pki/gm-ca.pem\", \"$pki/ca.pem\"]{crl} }} }}\n"
        )
    };
    let listeners: String = ENDS.iter().map(|(protocol, _)| one(protocol)).collect();
    format!(
        "[log]\nmail = {{ file = \"mail.log\" }}\n{listeners}{}\n[upstream.behind]\npeers = [\"$behind\"]\n",
        pki::IDENTITIES
    )
}

/// Certificates of ours that are not good, each as a pair and as an ordinary one.
fn bad() -> Pki {
    let pki = Pki::new();
    let leaf = Leaf::client("mallory");
    for (name, leaf) in [
        ("expired", leaf.clone().valid(Validity::expired())),
        ("later", leaf.clone().valid(Validity::not_yet())),
        ("server-only", leaf.clone().role(Role::Server)),
    ] {
        pki.pair(&pki.gm_ca, name, &leaf);
        pki.ordinary(name, &leaf);
    }
    pki
}

fn offer(pki: &Pki, protocol: Protocol, name: &str) -> Offer {
    let offer = Offer::new(pki, &[protocol]);
    match protocol {
        Protocol::Tlcp => offer.pair(pki, name),
        _ => offer.certificate(pki, name),
    }
}

/// Ends the gateway; its audit log of mail, which is whole then.
async fn audited(alb: &Alb) -> Vec<Value> {
    alb.counters().await;
    let log = std::fs::read_to_string(alb.directory().join("mail.log")).expect("an audit log");
    let lines = log.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

#[tokio::test]
async fn a_bad_certificate_is_told_in_the_protocol_whether_one_is_required_or_not() {
    let pki = bad();
    for mode in ["required", "optional"] {
        let alb = Alb::new().place("pki", &pki);
        let alb = alb.start(&config(mode, "")).await;
        let mut expected = Vec::new();
        for protocol in Protocol::ALL {
            for (name, reason) in CLIENTS {
                for (listener, words) in ENDS {
                    let offer = offer(&pki, protocol, name);
                    let mut client = LineClient::secure(alb.address(listener), &offer).await;
                    assert_eq!(client.rest().await, words, "{protocol} {name}");
                    expected.push(format!("FAILED:{reason}"));
                }
                let line = alb.wait_for_log(reason).await;
                for part in ["CN=mallory", "turned away", "expected", "help="] {
                    assert!(line.contains(part), "{part} in {line}");
                }
            }
        }
        let mut seen = Vec::new();
        for line in audited(&alb).await {
            assert_eq!(line["cert_subject"], "CN=mallory", "{line}");
            assert_eq!(line["reason"], "bad_certificate", "{line}");
            assert_eq!(line["result"], "refused", "{line}");
            assert_eq!(line["user"].as_str().unwrap_or_default(), "", "{line}");
            seen.push(line["cert_verify"].as_str().unwrap_or_default().to_owned());
        }
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn strangers_and_the_revoked_are_told_so_and_good_clients_are_let_in() {
    let pki = bad();
    pki.revoke_pair("revoked");
    let alb = Alb::new().place("pki", &pki);
    let alb = alb.start(&config("optional", "")).await;
    let stranger = Offer::tlcp(&pki).pair(&pki, "stranger");
    let mut client = LineClient::secure(alb.address("imap"), &stranger).await;
    assert_eq!(client.rest().await, ENDS[0].1);
    alb.wait_for_log("certificate_unknown_issuer").await;
    for protocol in Protocol::ALL {
        let offer = offer(&pki, protocol, "client");
        let mut client = LineClient::secure(alb.address("imap"), &offer).await;
        client.until("* OK").await;
    }
    let mut client = LineClient::secure(alb.address("imap"), &Offer::tls(&pki)).await;
    client.until("* OK").await;
    drop(client);
    let revoked = Offer::tlcp(&pki).pair(&pki, "revoked");
    let mut client = LineClient::secure(alb.address("imap"), &revoked).await;
    client.until("* OK").await;
    // The list comes with a reload.
    alb.rewrite(&config("optional", ", crl = [\"$pki/gm-ca.crl\"]"));
    alb.reload().await.expect("a reload");
    let mut client = LineClient::secure(alb.address("imap"), &revoked).await;
    assert_eq!(client.rest().await, ENDS[0].1);
    alb.wait_for_log("certificate_revoked").await;
}

#[tokio::test]
async fn http_still_refuses_a_bad_certificate_in_the_handshake() {
    let pki = bad();
    let alb = Alb::new().place("pki", &pki);
    let alb = alb
        .start(&format!(
            "[[http]]\nlisten = [\"$web\"]\ntls = {{ identities = [\"gm\", \"tls\"], \
             client_auth = {{ mode = \"optional\", ca = [\"$pki/gm-ca.pem\", \"$pki/ca.pem\"] }} }}\n{}\n\
             [[site]]\nroute = [{{ path = \"/\", return = 204 }}]\n",
            pki::IDENTITIES
        ))
        .await;
    let offer = offer(&pki, Protocol::Tlcp, "expired");
    let stream = tokio::net::TcpStream::connect(alb.address("web")).await;
    let refused = offer.over(stream.expect("a connection")).await;
    assert!(refused.is_err());
    let line = alb.wait_for_log("certificate_expired").await;
    assert!(line.contains("handshake failed"), "{line}");
}
