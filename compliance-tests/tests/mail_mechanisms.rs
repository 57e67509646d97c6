//! Mechanisms that only mail servers understand, carried to them through the daemon: SCRAM to real ones, NTLM, Kerberos and
//! bearer tokens to servers by script; and APOP, which the gateway checks itself.

use std::process::Command;

use alb_compliance_tests::client::{LineClient, Scram};
use alb_compliance_tests::mechanisms::{FRAMINGS, config};
use alb_compliance_tests::origin::{Dialogue, Dovecot, Postfix};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::{Alb, Offer};
use openssl::base64::encode_block;

#[tokio::test]
async fn scram_is_between_the_client_and_the_server_in_every_protocol() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .place("server_smtp", postfix.submission());
    let mechanisms = "\"plain\", \"scram-sha-1\", \"scram-sha-256\", \"gssapi\"";
    let alb = alb
        .start(&config(&["imap", "pop3", "smtp"], mechanisms))
        .await;
    for framing in &FRAMINGS {
        for (mechanism, offer, at_once) in [
            ("SCRAM-SHA-1", Offer::tlcp(&pki), true),
            ("SCRAM-SHA-256", Offer::tls(&pki), false),
        ] {
            let mut client = framing.greeted(&alb, &offer).await;
            framing.scram(&mut client, mechanism, at_once).await;
            let after = match framing.protocol {
                "imap" => ("b SELECT INBOX", "b OK"),
                "pop3" => ("STAT", "+OK"),
                _ => ("MAIL FROM:<alice@gov.example>", "250"),
            };
            client.ask(after.0, after.1).await;
            if framing.protocol == "smtp" {
                // Postfix tells who it is when there is a recipient.
                client.ask("RCPT TO:<bob@gov.example>", "250").await;
            }
        }
    }
    let log = dovecot.process();
    log.wait_for("imap-login: Info: Login: user=<alice>, method=SCRAM-SHA-256")
        .await;
    log.wait_for("pop3-login: Info: Login: user=<alice>, method=SCRAM-SHA-1")
        .await;
    let log = postfix.process();
    log.wait_for("sasl_method=SCRAM-SHA-256, sasl_username=alice")
        .await;
    alb.wait_for_log("user=alice").await;
}

#[tokio::test]
async fn a_wrong_proof_is_the_servers_to_refuse_and_a_star_gives_up() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .place("server_smtp", postfix.submission());
    let alb = alb
        .start(&config(&["imap", "pop3", "smtp"], "\"scram-sha-256\""))
        .await;
    for framing in &FRAMINGS {
        let mut client = framing.greeted(&alb, &Offer::tls(&pki)).await;
        let mut scram = Scram::new("SCRAM-SHA-256", "alice", "wrong");
        let begin = format!("{} SCRAM-SHA-256 {}", framing.begin, scram.first());
        let first = framing.challenged(&mut client, &begin).await;
        client.ask(&scram.proof(&first), framing.refusal).await;
        let (given_up, no_base64) = match framing.protocol {
            "imap" => ("a BAD AUTHENTICATE cancelled", "a BAD Invalid response"),
            "pop3" => ("-ERR Authentication cancelled", "-ERR Invalid response"),
            _ => (
                "501 5.5.2 Authentication cancelled",
                "501 5.5.2 Invalid base64",
            ),
        };
        framing.challenged(&mut client, &begin).await;
        client.ask("*", given_up).await;
        framing.challenged(&mut client, &begin).await;
        client.ask("not base64", no_base64).await;
        // The session goes on as if nothing had been.
        framing.scram(&mut client, "SCRAM-SHA-256", true).await;
    }
}

#[tokio::test]
async fn only_what_every_server_takes_is_offered_and_no_bound_channel() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", dovecot.imap());
    let mechanisms = "\"plain\", \"scram-sha-256\", \"ntlm\", \"gssapi\", \"oauthbearer\"";
    let alb = alb.start(&config(&["imap"], mechanisms)).await;
    let mut client = LineClient::secure(alb.address("imap"), &Offer::tls(&pki)).await;
    let greeting = client.until("* OK").await;
    assert!(
        greeting.contains("AUTH=PLAIN AUTH=SCRAM-SHA-256]"),
        "{greeting}"
    );
    client
        .ask("a AUTHENTICATE GSSAPI YQ==", "a NO Unsupported")
        .await;
    client
        .ask("a AUTHENTICATE SCRAM-SHA-256-PLUS", "a NO Unsupported")
        .await;
    let bound = encode_block(b"p=tls-unique,,n=alice,r=x");
    client
        .ask(&format!("a AUTHENTICATE SCRAM-SHA-256 {bound}"), "a BAD")
        .await;
    assert!(!dovecot.process().output().text().contains("alice"));
}

/// The second message of NTLM, by which the server challenges.
fn ntlm_challenge() -> String {
    let parts: [&[u8]; 6] = [
        b"NTLMSSP\0\x02\0\0\0",
        b"\0\0\0\0\x30\0\0\0",
        b"\x05\x82\x08\xa2",
        b"\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\0",
        b"\0\0\0\0\x30\0\0\0",
        b"\x0a\0\0\0\0\0\0\x0f",
    ];
    encode_block(&parts.concat())
}

#[tokio::test]
async fn curl_logs_in_by_ntlm_at_a_server_that_speaks_it() {
    let pki = Pki::new();
    let challenge = format!("+ {}", ntlm_challenge());
    // The third message begins as the first does, but for the number in it.
    let imap = Dialogue::start(
        "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=NTLM] ready",
        &[
            ("L AUTHENTICATE NTLM TlRMTVNTUAAB", &challenge),
            ("TlRMTVNTUAAD", "* CAPABILITY IMAP4rev1\r\nL OK in"),
            ("A003 LIST", "* LIST () \"/\" INBOX\r\nA003 OK listed"),
            ("A004 LOGOUT", "A004 OK bye"),
        ],
    )
    .await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", imap.address());
    let alb = alb.start(&config(&["imap"], "\"ntlm\"")).await;
    let mut curl = Command::new("curl");
    curl.args(["-sSk", "--max-time", "20", "-u", "CORP\\alice:secret"])
        .args(["--login-options", "AUTH=NTLM"])
        .arg(format!("imaps://{}/", alb.address("imap")));
    let output = tokio::task::spawn_blocking(move || curl.output())
        .await
        .expect("a thread")
        .expect("curl");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("INBOX"), "{output:?}");
    alb.wait_for_log("CORP").await;
}

#[tokio::test]
async fn ntlm_goes_to_the_servers_of_the_domain_it_names() {
    let pki = Pki::new();
    let speaks = |welcome: &'static str| async move {
        let challenge = format!("+ {}", ntlm_challenge());
        let answers = [
            ("CAPA", "+OK\r\nSASL NTLM\r\n."),
            ("AUTH NTLM", "+ "),
            ("TlRMTVNTUAAB", challenge.as_str()),
            ("YQ==", welcome),
        ];
        Dialogue::start("+OK ready", &answers).await
    };
    let (usual, corp) = (speaks("+OK the usual").await, speaks("+OK the corp").await);
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_pop3", usual.address())
        .place("corp", corp.address());
    let text = config(&["pop3"], "\"ntlm\"").replace("hostname", "auth = \"by-domain\"\nhostname");
    let alb = alb
        .start(&format!(
            "{text}[mail_auth.by-domain]\ndomains = {{ CORP = \"corp\" }}\n[upstream.corp]\npeers = [\"$corp\"]\n"
        ))
        .await;
    let plain = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2";
    let named = b"NTLMSSP\0\x01\0\0\0\x07\x92\x08\xa2\x04\0\x04\0\x20\0\0\0\0\0\0\0\0\0\0\0Corp";
    for (first, welcome) in [(&plain[..], "+OK the usual"), (named, "+OK the corp")] {
        let [_, pop3, _] = &FRAMINGS;
        let mut client = pop3.greeted(&alb, &Offer::tls(&pki)).await;
        let line = format!("AUTH NTLM {}", encode_block(first));
        assert_eq!(pop3.challenged(&mut client, &line).await, ntlm_challenge());
        client.ask("YQ==", welcome).await;
    }
}

#[tokio::test]
async fn kerberos_has_as_many_rounds_as_it_needs_but_not_endless_ones() {
    let pki = Pki::new();
    let smtp = Dialogue::start(
        "220 ready",
        &[
            ("EHLO", "250-server\r\n250-SIZE 10000\r\n250 AUTH GSSAPI"),
            ("AUTH GSSAPI Zmlyc3Q=", "334 b25l"),
            ("c2Vjb25k", "334 dHdv"),
            ("dGhpcmQ=", "235 2.7.0 in"),
            ("bW9yZQ==", "334 bW9yZQ=="),
            ("b2Rk", "334 not base64"),
        ],
    )
    .await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_smtp", smtp.address());
    let alb = alb.start(&config(&["smtp"], "\"gssapi\"")).await;
    let [_, _, framing] = &FRAMINGS;
    let begin = "AUTH GSSAPI Zmlyc3Q=";
    let mut client = framing.greeted(&alb, &Offer::tls(&pki)).await;
    assert_eq!(framing.challenged(&mut client, begin).await, "b25l");
    assert_eq!(framing.challenged(&mut client, "c2Vjb25k").await, "dHdv");
    client.ask("dGhpcmQ=", "235").await;
    let mut client = framing.greeted(&alb, &Offer::tls(&pki)).await;
    framing.challenged(&mut client, begin).await;
    for _ in 0..9 {
        framing.challenged(&mut client, "bW9yZQ==").await;
    }
    client.ask("bW9yZQ==", "454").await;
    framing.challenged(&mut client, begin).await;
    client.ask("b2Rk", "454").await;
    // A client that leaves in the middle takes the server's session with it.
    framing.challenged(&mut client, begin).await;
    drop(client);
    alb.wait_for_log("reason=\"closed\"").await;
}

#[tokio::test]
async fn the_error_of_a_token_is_told_to_the_client() {
    let pki = Pki::new();
    let imap = Dialogue::start(
        "* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready",
        &[
            ("L AUTHENTICATE XOAUTH2", "+ eyJzdGF0dXMiOiI0MDAifQ=="),
            ("", "L NO [AUTHENTICATIONFAILED] the token is old"),
        ],
    )
    .await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_imap", imap.address());
    let alb = alb.start(&config(&["imap"], "\"xoauth2\"")).await;
    let [framing, ..] = &FRAMINGS;
    let mut client = framing.greeted(&alb, &Offer::tls(&pki)).await;
    let token = encode_block(b"user=alice\x01auth=Bearer t\x01\x01");
    let told = framing
        .challenged(&mut client, &format!("a AUTHENTICATE XOAUTH2 {token}"))
        .await;
    assert_eq!(told, "eyJzdGF0dXMiOiI0MDAifQ==");
    client
        .ask("", "a NO [AUTHENTICATIONFAILED] the token is old")
        .await;
    imap.heard()
        .wait_for(0, &format!("L AUTHENTICATE XOAUTH2 {token}"))
        .await;
}

#[tokio::test]
async fn apop_is_answered_from_the_greeting_and_the_server_gets_the_password() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server_pop3", dovecot.pop3())
        .private_file("users", "alice {PLAIN}tanstaaf\nbob {PLAIN}wrong\n");
    let text = config(&["pop3"], "\"apop\"").replace("hostname", "auth = \"staff\"\nhostname");
    let alb = alb.private_file("gw.pw", "master\n");
    let master = "mail = { login = \"master\", master = { user = \"gateway\", password_file = \"gw.pw\" } }\n";
    let text = text.replace(
        "[\"$server_pop3\"]\n",
        &format!("[\"$server_pop3\"]\n{master}"),
    );
    let alb = alb
        .start(&format!("{text}[mail_auth.staff]\nfile = \"users\"\n"))
        .await;
    let curl = |password: &str| {
        let mut curl = Command::new("curl");
        curl.args(["-sSk", "--max-time", "20", "--login-options", "AUTH=+APOP"])
            .args(["-u", &format!("alice:{password}")])
            .arg(format!("pop3s://{}/", alb.address("pop3")));
        async move {
            let output = tokio::task::spawn_blocking(move || curl.output()).await;
            output.expect("a thread").expect("curl").status.success()
        }
    };
    assert!(curl("tanstaaf").await && !curl("tanstaag").await);
    dovecot
        .process()
        .wait_for("Master user logging in as alice")
        .await;
    let mut client = LineClient::secure(alb.address("pop3"), &Offer::tlcp(&pki)).await;
    let greeting = client.until("+OK mail.test ready <").await;
    assert!(greeting.ends_with("@mail.test>\r\n"), "{greeting}");
    client.ask("APOP alice", "-ERR").await;
    client.ask("USER alice", "-ERR Use AUTH").await;
}
