//! Kerberos carried to a real Dovecot: curl with a ticket of a real KDC. (Debian's Dovecot has no NTLM.)

use std::process::{Command, Output};

use alb_compliance_tests::Alb;
use alb_compliance_tests::origin::{Dovecot, Kerberos};
use alb_compliance_tests::pki::{self, Pki};

/// A gateway for IMAP and POP3 that carries a mechanism.
async fn start(pki: &Pki, dovecot: &Dovecot, mechanism: &str) -> Alb {
    let section = |protocol: &str| {
        format!(
            "[[mail]]\nprotocol = \"{protocol}\"\nlisten = [\"${protocol}\"]\nupstream = \"{protocol}\"\n\
             mechanisms = [\"{mechanism}\"]\ntls = {{ identities = [\"gm\", \"tls\"], mode = \"implicit\" }}\n\
             [upstream.{protocol}]\npeers = [\"$server_{protocol}\"]\n"
        )
    };
    let config = section("imap") + &section("pop3") + pki::IDENTITIES;
    Alb::new()
        .place("pki", pki)
        .place("server_imap", dovecot.imap())
        .place("server_pop3", dovecot.pop3())
        .start(&config)
        .await
}

/// curl, asking a listener for what is in the mailbox of alice.
fn curl(alb: &Alb, protocol: &str, user: &str, mechanism: &str) -> Command {
    let mut curl = Command::new("curl");
    let port = alb.address(protocol).port();
    curl.args(["-sSk4", "--max-time", "20", "-u", user])
        .args(["--login-options", &format!("AUTH={mechanism}")])
        .arg(format!("{protocol}s://localhost:{port}/"));
    curl
}

async fn output(mut command: Command) -> Output {
    let running = tokio::task::spawn_blocking(move || command.output());
    running.await.expect("a thread").expect("curl")
}

#[tokio::test]
async fn curl_logs_in_at_dovecot_by_a_ticket_of_a_real_kdc() {
    let pki = Pki::new();
    let realm = Kerberos::start().await;
    let more = format!(
        "auth_mechanisms = plain gssapi\nauth_gssapi_hostname = localhost\nauth_username_format = %n\n\
         auth_krb5_keytab = {}\nimport_environment = KRB5_CONFIG={}\n",
        realm.keytab().display(),
        realm.config().display()
    );
    let dovecot = Dovecot::with(&pki, &more, &[]).await;
    dovecot.fill("alice", 1);
    let alb = start(&pki, &dovecot, "gssapi").await;
    for protocol in ["imap", "pop3"] {
        let mut command = curl(&alb, protocol, "alice@GOV.EXAMPLE:", "GSSAPI");
        realm.with_ticket(&mut command);
        let output = output(command).await;
        assert!(output.status.success(), "{protocol}: {output:?}");
        let login = format!("{protocol}-login: Info: Login: user=<alice>, method=GSSAPI");
        dovecot.process().wait_for(&login).await;
    }
    // Without a ticket there is nothing to show.
    let refused = output(curl(&alb, "imap", "alice@GOV.EXAMPLE:", "GSSAPI")).await;
    assert!(!refused.status.success(), "{refused:?}");
}
