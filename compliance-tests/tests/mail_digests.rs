//! Digests, which a service decides about when it has wanted the client to wait.

use std::net::SocketAddr;

use alb_compliance_tests::mail::{Listener, encoded};
use alb_compliance_tests::mechanisms::FRAMINGS;
use alb_compliance_tests::origin::{LineServer, Script};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Lines;
use alb_compliance_tests::{Alb, Offer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// A service that lets a client in at its second attempt; it tells what it was asked.
async fn hesitant(server: SocketAddr) -> (Script, Lines) {
    Script::deciding(
        move |request| match request.contains("Auth-Login-Attempt: 1\r\n") {
            true => "Auth-Status: not yet\r\nAuth-Wait: 1\r\n".to_owned(),
            false => format!(
                "Auth-Status: OK\r\nAuth-Pass: clear\r\nAuth-Server: {}\r\nAuth-Port: {}\r\n",
                server.ip(),
                server.port()
            ),
        },
    )
    .await
}

/// The digest that answers a challenge (RFC 2195), in hexadecimal.
fn digest(challenge: &str) -> String {
    let challenge = STANDARD.decode(challenge).expect("base64");
    let key = PKey::hmac(b"secret").expect("a key");
    let mut signer = Signer::new(MessageDigest::md5(), &key).expect("a signer");
    let digest = signer.sign_oneshot_to_vec(&challenge).expect("a digest");
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// nginx kept what the first attempt had left (CVE-2026-27651).
#[tokio::test]
async fn a_digest_is_asked_for_anew_after_a_service_wanted_to_wait() {
    let pki = Pki::new();
    for framing in &FRAMINGS {
        let server = match framing.protocol {
            "imap" => LineServer::imap(&[]).await,
            "pop3" => LineServer::pop3(&[]).await,
            _ => LineServer::smtp(&[]).await,
        };
        let (service, asked) = hesitant(server.address()).await;
        let listener = Listener::new(framing.protocol, framing.protocol, "implicit", "any")
            .with("auth = \"service\"\nmechanisms = [\"cram-md5\"]");
        let config = format!(
            "{listener}{}[mail_auth.service]\nhttp = {{ upstream = \"service\", allowed_backends = [\"127.0.0.0/8\"] }}\n\
             [upstream.service]\npeers = [\"$service\"]\n[upstream.any]\npeers = [\"$server\"]\n",
            pki::IDENTITIES
        );
        let alb = Alb::new()
            .place("pki", &pki)
            .place("service", service.address())
            .place("server", server.address())
            .start(&config)
            .await;
        let mut client = framing.greeted(&alb, &Offer::tlcp(&pki)).await;
        let begin = format!("{} CRAM-MD5", framing.begin);
        let mut digests = Vec::new();
        for _ in 0..2 {
            let challenge = framing.challenged(&mut client, &begin).await;
            digests.push(digest(&challenge));
            let said = encoded(&format!("alice {}", digest(&challenge)));
            let answer = if digests.len() == 1 {
                ""
            } else {
                framing.welcome
            };
            let told = client.ask(&said, answer).await;
            assert!(digests.len() == 2 || told.contains("not yet"), "{told}");
        }
        assert_ne!(digests[0], digests[1]);
        for (attempt, digest) in [(1, &digests[0]), (2, &digests[1])] {
            let attempt = format!("Auth-Login-Attempt: {attempt}\n");
            let request = asked.find(0, &attempt).expect("it was asked");
            let pass = format!("Auth-Method: cram-md5\nAuth-User: alice\nAuth-Pass: {digest}\n");
            assert!(request.contains(&pass), "{request}");
            assert_eq!(request.matches("Auth-Salt: ").count(), 1, "{request}");
        }
        assert!(!server.heard().text().contains(&digests[1]));
    }
}
