//! Bearer tokens carried to a real Dovecot, which checks their signature itself.

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::Dovecot;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, Offer};
use openssl::base64::encode_block;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// The key that tokens are signed by, and that Dovecot knows.
const KEY: &[u8] = b"a key of 32 bytes for HMAC-SHA256";

const DOVECOT: &str = "
auth_mechanisms = plain xoauth2 oauthbearer
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = DIR/oauth2.conf
}
";

const OAUTH2: &str = "introspection_mode = local
local_validation_key_dict = fs:posix:prefix=DIR/keys/
username_attribute = sub
";

/// A gateway for IMAP and POP3 before a Dovecot that takes tokens.
async fn start(pki: &Pki) -> (Alb, Dovecot) {
    let key = encode_block(KEY);
    let files = [
        ("oauth2.conf", OAUTH2),
        ("keys/default/HS256/default", key.as_str()),
    ];
    let dovecot = Dovecot::with(pki, DOVECOT, &files).await;
    let section = |protocol: &str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{protocol}\"\n\
             mechanisms = [\"xoauth2\", \"oauthbearer\"]\ntls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\n\
             [upstream.{protocol}]\npeers = [\"$server_{protocol}\"]\n"
        )
    };
    let config = section("imap") + &section("pop3") + pki::IDENTITIES;
    let alb = Alb::new()
        .place("pki", pki)
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .start(&config)
        .await;
    (alb, dovecot)
}

/// A token for a user (RFC 7519), signed by a key.
fn token(user: &str, key: &[u8]) -> String {
    let url = |bytes: &[u8]| {
        let text = encode_block(bytes).replace('+', "-").replace('/', "_");
        text.trim_end_matches('=').to_owned()
    };
    let head = url(br#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = url(format!(r#"{{"sub":"{user}","exp":4102444800}}"#).as_bytes());
    let signed = format!("{head}.{claims}");
    let key = PKey::hmac(key).expect("a key");
    let mut signer = Signer::new(MessageDigest::sha256(), &key).expect("HMAC");
    signer.update(signed.as_bytes()).expect("HMAC");
    let signature = signer.sign_to_vec().expect("HMAC");
    format!("{signed}.{}", url(&signature))
}

/// The first message of both mechanisms for a user with a token.
fn messages(user: &str, token: &str) -> [(&'static str, String); 2] {
    let x = format!("user={user}\x01auth=Bearer {token}\x01\x01");
    let o = format!("n,a={user},\x01host=mail.test\x01port=143\x01auth=Bearer {token}\x01\x01");
    [
        ("XOAUTH2", encode_block(x.as_bytes())),
        ("OAUTHBEARER", encode_block(o.as_bytes())),
    ]
}

#[tokio::test]
async fn a_token_opens_the_mailbox_of_its_user_in_imap_and_pop3() {
    let pki = Pki::new();
    let (alb, dovecot) = start(&pki).await;
    for (mechanism, message) in messages("alice", &token("alice", KEY)) {
        for offer in [Offer::tlcp(&pki), Offer::tls(&pki)] {
            let mut imap = LineClient::secure(alb.address("imap"), &offer).await;
            let greeting = imap.until("* OK").await;
            assert!(
                greeting.contains(&format!("AUTH={mechanism}")),
                "{greeting}"
            );
            imap.ask(&format!("a AUTHENTICATE {mechanism} {message}"), "a OK")
                .await;
            imap.ask("b SELECT INBOX", "b OK").await;
        }
        let mut pop3 = LineClient::secure(alb.address("pop3"), &Offer::tls(&pki)).await;
        pop3.until("+OK").await;
        // Too long for the line of the command: it comes as an answer.
        pop3.ask(&format!("AUTH {mechanism}"), "+ ").await;
        pop3.ask(&message, "+OK").await;
        pop3.ask("STAT", "+OK").await;
        let log = dovecot.process();
        log.wait_for(&format!(
            "imap-login: Info: Login: user=<alice>, method={mechanism}"
        ))
        .await;
        log.wait_for(&format!(
            "pop3-login: Info: Login: user=<alice>, method={mechanism}"
        ))
        .await;
    }
}

#[tokio::test]
async fn a_token_of_another_key_or_user_is_refused_after_the_servers_error() {
    let pki = Pki::new();
    let (alb, _dovecot) = start(&pki).await;
    for wrong in [
        token("alice", b"another key of some 32 bytes...."),
        token("bob", KEY),
    ] {
        for (mechanism, message) in messages("alice", &wrong) {
            let mut client = LineClient::secure(alb.address("imap"), &Offer::tls(&pki)).await;
            client.until("* OK").await;
            let error = client
                .ask(&format!("a AUTHENTICATE {mechanism} {message}"), "+ ")
                .await;
            let error = openssl::base64::decode_block(error[2..].trim()).expect("base64");
            let error = String::from_utf8_lossy(&error).into_owned();
            assert!(error.contains("\"status\":"), "{error}");
            client.ask("AQ==", "a NO [AUTHENTICATIONFAILED]").await;
        }
    }
}
