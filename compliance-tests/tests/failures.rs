//! Handshakes that have to fail: the client is told with an alert, the operator with a line that says what to do.

use alb_compliance_tests::client::improper;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Offer, Pki, Speak};
use alb_gm::tls::Reason;

const LISTENERS: &str = r#"
[[http]]
name = "gm-only"
listen = ["$gm_only"]
tls = { protocols = ["tlcp"], identities = ["gm"] }
[[http]]
name = "mutual"
listen = ["$mutual"]
[http.tls]
protocols = ["tlcp"]
identities = ["gm"]
client_auth = { mode = "required", ca = ["$pki/gm-ca.pem"], crl = ["$pki/gm-ca.crl"] }
[[site]]
route = [{ path = "/", return = 204 }]
"#;

#[tokio::test]
async fn a_tlcp_client_without_a_certificate_is_refused() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    refused(&alb, "mutual", &Offer::tlcp(&pki)).await;
    says(&alb, &["certificate", "help="]).await;
}

#[tokio::test]
async fn a_tlcp_client_of_an_unknown_authority_is_refused() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    refused(&alb, "mutual", &Offer::tlcp(&pki).pair(&pki, "stranger")).await;
    says(&alb, &["Another SM2 Root", "help="]).await;
}

#[tokio::test]
async fn a_tlcp_client_whose_certificate_is_revoked_is_refused() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    refused(&alb, "mutual", &Offer::tlcp(&pki).pair(&pki, "revoked")).await;
    says(&alb, &["revoked", "help="]).await;
}

#[tokio::test]
async fn a_tlcp_client_with_its_pair_exchanged_is_refused() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    let answer = improper::exchanged_pair(&pki, "client", alb.address("mutual")).await;
    assert!(answer.ends_with(&improper::ILLEGAL_PARAMETER), "{answer:?}");
    says(&alb, &["exchanged", "help="]).await;
}

#[tokio::test]
async fn a_tls_client_is_refused_where_only_tlcp_is_spoken() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    refused(&alb, "gm_only", &Offer::tls(&pki)).await;
    says(&alb, &["TLSv1.3", "help="]).await;
}

#[tokio::test]
async fn a_client_with_a_good_certificate_is_let_in_after_all_that() {
    let pki = Pki::new();
    let alb = start(&pki).await;
    let offer = Offer::tlcp(&pki).pair(&pki, "client");
    let (mut client, _) = offer.client(alb.address("mutual"), Speak::Http1).await;
    assert_eq!(client.get("/").await.status, 204);
}

async fn start(pki: &Pki) -> Alb {
    pki.revoke_pair("revoked");
    Alb::new()
        .place("pki", pki)
        .start(&format!("{IDENTITIES}{LISTENERS}"))
        .await
}

/// The handshake ends with an alert of the server's, not with a closed connection or a timeout.
async fn refused(alb: &Alb, listener: &str, offer: &Offer) {
    let error = match offer.connect(alb.address(listener), Speak::Http1).await {
        Err(error) => error,
        Ok(_) => panic!("{listener} let the client in:\n{}", alb.log().text()),
    };
    assert_eq!(error.reason, Reason::PeerAlert, "{error:?}");
}

/// One line has the client's address and all of these words.
async fn says(alb: &Alb, words: &[&str]) {
    let line = alb.wait_for_log("handshake failed").await;
    assert!(line.contains("127.0.0.1:"), "no client address: {line}");
    for word in words {
        assert!(line.contains(word), "no {word:?}: {line}");
    }
}
