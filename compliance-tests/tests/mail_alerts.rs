//! Alert mails on every kind of connection: to a real Postfix by STARTTLS, and over TLS and TLCP to a gateway before it.

mod policy;

use alb_compliance_tests::origin::line_server::LineServer;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use policy::{alb, alice, send};

/// The upstream of the alerts, for each kind of connection.
const WAYS: [&str; 3] = [
    "peers = [\"MX\"]\ntls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }\nmail = { starttls = true }",
    "peers = [\"$front\"]\ntls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }",
    "peers = [\"$front\"]\ntls = { protocols = [\"tlcp\"], ca = [\"$pki/gm-ca.pem\"], server_name = \"localhost\" }",
];

#[tokio::test]
async fn alerts_go_out_by_starttls_tls_and_tlcp() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let behind = LineServer::smtp(&[]).await;
    let server = behind.address().to_string();
    let mx = postfix.mx().to_string();
    for (number, way) in (1..).zip(WAYS) {
        let policy = format!(
            "deny_extensions = [\"exe\"]\n\
             alert = {{ to = [\"sec@gov.example\"], from = \"gw@gov.example\", upstream = \"told\" }}\n\
             [upstream.told]\n{}\n[upstream.postfix]\npeers = [\"{mx}\"]\n\
             [[mail]]\nprotocol = \"smtp\"\nlisten = [\"$front\"]\nupstream = \"postfix\"\n\
             tls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\nsmtp = {{ mx = {{ relay_domains = [\"gov.example\"] }} }}\n",
            way.replace("MX", &mx)
        );
        let alb = alb(&pki, &server, &mx, ("1MiB", "1m"), &policy).await;
        let mut client = alice(&pki, &alb).await;
        let denied = "From: alice@gov.example\r\nContent-Disposition: attachment; filename=evil.exe\r\n\r\nx\r\n";
        send(&mut client, denied, "550 5.7.1 attachments ending in .exe").await;
        let told = postfix.delivered(number).await;
        let to =
            |message: &&Vec<u8>| String::from_utf8_lossy(message).contains("To: sec@gov.example");
        assert_eq!(told.iter().filter(to).count(), number, "{way}");
    }
}
