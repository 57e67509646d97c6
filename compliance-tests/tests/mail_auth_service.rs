//! A service that decides about logins, a real nginx, asked over a unix socket, HTTPS and TLCP; and not asked where it cannot
//! prove who it is.

use alb_compliance_tests::Alb;
use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dovecot, Nginx};
use alb_compliance_tests::pki::{self, Pki};

/// What nginx decides: this password is right.
const DECIDES: &str = "location = /auth {
    add_header Auth-Status 'Invalid login or password' always;
    if ($http_auth_pass = 'se%20cret') { add_header Auth-Status OK always; }
    return 204;
}";

/// How the service is reached: the upstream of each, and whether it may be.
const WAYS: [(&str, &str, bool); 5] = [
    ("unix", "peers = [\"unix:$socket\"]", true),
    (
        "https",
        "peers = [\"$nginx_tls\"]\ntls = { ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }",
        true,
    ),
    (
        "tlcp",
        "peers = [\"$front\"]\ntls = { protocols = [\"tlcp\"], ca = [\"$pki/gm-ca.pem\"], server_name = \"localhost\" }",
        true,
    ),
    (
        "other_name",
        "peers = [\"$nginx_tls\"]\ntls = { ca = [\"$pki/ca.pem\"], server_name = \"another.test\" }",
        false,
    ),
    ("other_protocol", "peers = [\"$nginx_tls\"]", false),
];

fn section((name, upstream, _): &(&str, &str, bool)) -> String {
    format!(
        "[[mail]]\nprotocol = \"imap\"\nlisten = [\"${name}\"]\nupstream = \"dovecot\"\nplaintext_auth = true\nauth = \"{name}\"\n\
         [mail_auth.{name}]\nhttp = {{ upstream = \"at-{name}\", path = \"/auth\" }}\n[upstream.at-{name}]\n{upstream}\n"
    )
}

/// TLCP before nginx, which does not know it.
const FRONT: &str = "[[http]]\nlisten = [\"$front\"]\ntls = { identities = [\"gm\"] }\n\
    [[site]]\n[[site.route]]\nproxy = \"nginx\"\n[upstream.nginx]\npeers = [\"$nginx\"]\n\
    [upstream.dovecot]\npeers = [\"$dovecot\"]\n";

#[tokio::test]
async fn a_service_decides_over_unix_sockets_https_and_tlcp_and_nobody_instead_of_it() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let https = Reserved::v4();
    let path = pki.path().display();
    let nginx = Nginx::start(&format!(
        "listen {} ssl; ssl_certificate {path}/server.pem; ssl_certificate_key {path}/server.key;\n{DECIDES}",
        https.address()
    ))
    .await;
    let sections: String = WAYS.iter().map(section).collect();
    let alb = Alb::new()
        .place("pki", &pki)
        .place("socket", nginx.unix_socket().display())
        .place("nginx_tls", https.address())
        .place("nginx", nginx.address())
        .place("dovecot", dovecot.imap())
        .start(&format!("{sections}{FRONT}{}", pki::IDENTITIES))
        .await;
    for (name, _, proves_itself) in WAYS {
        let mut client = LineClient::connect(alb.address(name)).await;
        client.until("* OK").await;
        if proves_itself {
            client
                .ask(
                    "a LOGIN alice wrong",
                    "a NO [AUTHENTICATIONFAILED] Invalid login or password",
                )
                .await;
            let mut client = LineClient::connect(alb.address(name)).await;
            client.until("* OK").await;
            client.ask("a LOGIN alice \"se cret\"", "a OK").await;
            client.ask("b SELECT INBOX", "b OK").await;
        } else {
            client
                .ask("a LOGIN alice \"se cret\"", "a NO [UNAVAILABLE]")
                .await;
        }
    }
    alb.wait_for_log("the server's certificate `CN=tls.test` is for")
        .await;
}
