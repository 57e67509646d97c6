//! What the daemon says of certificates and lists that have expired or soon will.

use alb_certs::issue::{Leaf, Validity};
use alb_compliance_tests::{Alb, Pki};
use nix::sys::signal::Signal;

const CONFIGURATION: &str = r#"
    [identity.short]
    certificate = "$pki/short.pem"
    key = "$pki/short.key"
    [[http]]
    listen = ["$web"]
    [http.tls]
    identities = ["short"]
    [[site]]
    route = [{ path = "/", return = { status = 200, body = "hello" } }]
    "#;

fn short_lived(pki: &Pki, days: u32) {
    let leaf = Leaf::server("tls.test").valid(Validity::days(days));
    pki.ordinary("short", &leaf);
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_logged_and_counted_until_it_is_renewed() {
    let pki = Pki::new();
    short_lived(&pki, 10);
    let alb = Alb::new().place("pki", &pki).start(CONFIGURATION).await;
    let line = alb.wait_for_log("expires in ").await;
    for part in [
        "WARN",
        "short.pem",
        "identity short",
        "renew it, then `alb reload`",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let before = alb.log().text().matches("expires in ").count();
    short_lived(&pki, 400);
    alb.reload().await.expect("a good configuration");
    alb.signal(Signal::SIGTERM);
    let last = alb.wait_for_log("alb has left").await;
    assert!(last.contains("expired=0 expiring=0"), "{last}");
    assert_eq!(alb.log().text().matches("expires in ").count(), before);
}

#[tokio::test]
async fn what_ends_soon_is_in_the_last_line_of_the_log() {
    let pki = Pki::new();
    short_lived(&pki, 10);
    let alb = Alb::new().place("pki", &pki).start(CONFIGURATION).await;
    alb.signal(Signal::SIGTERM);
    let last = alb.wait_for_log("alb has left").await;
    assert!(last.contains("expired=0 expiring=1"), "{last}");
}
