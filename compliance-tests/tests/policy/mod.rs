//! Messages, and a gateway with a policy, for the tests of policies.

#![allow(dead_code, reason = "each test file uses its part")]

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};

const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlIGNyZXQ=";
pub const ENVELOPE: &str =
    "MAIL FROM:<alice@gov.example>\r\nRCPT TO:<bob@gov.example>\r\nRCPT TO:<carol@gov.example>\r\n";
pub const PLAIN: &str = "From: alice@gov.example\r\nSubject: hello\r\n\r\nhi\r\n";
pub const SECRET: &str = "From: alice@gov.example\r\nContent-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\nx\r\n";

pub const RULES: &str =
    "deny_extensions = [\"exe\"]\nencrypted = \"quarantine\"\nquarantine = \"held\"\n";

/// `alb` with this policy in front of one server, and another for what is held.
pub async fn alb(
    pki: &Pki,
    server: &str,
    held: &str,
    (max_size, pause): (&str, &str),
    policy: &str,
) -> Alb {
    let config = format!(
        "[[mail]]\nname = \"smtp\"\nprotocol = \"smtp\"\nlisten = [\"$smtp\"]\nupstream = \"server\"\nhostname = \"mail.test\"\n\
         tls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\nsmtp = {{ policy = \"office\", max_size = \"{max_size}\" }}\n\
         timeouts = {{ data = \"{pause}\" }}\n[log]\nmail = {{ file = \"mail.log\", format = \"json\" }}\n{}\n\
         [mail_policy.office]\n{policy}\n[upstream.server]\npeers = [\"{server}\"]\n[upstream.held]\npeers = [\"{held}\"]\n",
        pki::IDENTITIES
    );
    Alb::new().place("pki", pki).start(&config).await
}

/// A client that has logged in as alice.
pub async fn alice(pki: &Pki, alb: &Alb) -> LineClient {
    let mut client = LineClient::secure(alb.address("smtp"), &Offer::tlcp(pki)).await;
    client.until("220 ").await;
    client.ask("EHLO client.test", "250 ").await;
    client.ask(LOGIN, "235").await;
    client
}

/// Sends a message to its end.
pub async fn send(client: &mut LineClient, message: &str, answer: &str) -> String {
    client.send(format!("{ENVELOPE}DATA\r\n")).await;
    client.until("354").await;
    client.send(message).await;
    client.ask(".", answer).await
}
