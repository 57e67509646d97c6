//! Who decides about the logins of mail clients: a service, a file, a directory, a certificate; through the daemon, with
//! Dovecot behind it. How the service is asked is in `mail_auth_http.rs`.

use std::process::Command;

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dovecot, Script};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Process;
use alb_compliance_tests::{Alb, Offer};

/// A Dovecot behind IMAP with this `[[mail]]` and these sections besides.
async fn imap(
    pki: &Pki,
    dovecot: &Dovecot,
    tls: &str,
    login: &str,
    rest: &str,
    place: &[(&str, String)],
) -> Alb {
    let mut alb = Alb::new()
        .place("pki", pki)
        .place("dovecot", dovecot.imap());
    for (name, value) in place {
        alb = alb.place(name, value);
    }
    let identities = pki::IDENTITIES;
    alb.start(&format!(
        "[[mail]]\nprotocol = \"imap\"\nlisten = [\"$imap\"]\nupstream = \"dovecot\"\nauth = \"a\"\n\
         tls = {{ mode = \"implicit\", identities = [\"gm\", \"tls\"]{tls} }}\n{rest}\n\
         [upstream.dovecot]\npeers = [\"$dovecot\"]\nmail = {{ {login} }}\n{identities}\n"
    ))
    .await
}

const MASTER: &str =
    "login = \"master\", master = { user = \"gateway\", password_file = \"$secrets/master\" }";

/// A directory with the master's password, and a file of users.
fn secrets(users: &str) -> (tempfile::TempDir, [(&'static str, String); 1]) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("master"), "master\n").expect("written");
    std::fs::write(directory.path().join("users"), users).expect("written");
    let path = directory.path().display().to_string();
    (directory, [("secrets", path)])
}

async fn attempt(alb: &Alb, offer: &Offer, line: &str, answer: &str) -> LineClient {
    let mut client = LineClient::secure(alb.address("imap"), offer).await;
    client.until("* OK").await;
    client.ask(line, answer).await;
    client
}

#[tokio::test]
async fn a_file_decides_and_the_master_user_logs_in() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    // `Hello world!`: PBKDF2-SM3 would take a debug build seconds.
    let users = "alice $5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5\n";
    let (_secrets, place) = secrets(users);
    let rest = "[mail_auth.a]\nfile = \"$secrets/users\"\n";
    let alb = imap(&pki, &dovecot, "", MASTER, rest, &place).await;
    let offer = Offer::tlcp(&pki);
    for wrong in [
        "a LOGIN alice wrong",
        "a LOGIN bob \"Hello world!\"",
        "a LOGIN alice \"\"",
    ] {
        attempt(&alb, &offer, wrong, "a NO").await;
    }
    let mut client = attempt(&alb, &offer, "a LOGIN alice \"Hello world!\"", "a OK").await;
    client.ask("b SELECT INBOX", "b OK").await;
    dovecot.process().wait_for("user=<alice>").await;
}

#[tokio::test]
async fn a_certificate_is_the_login_over_tlcp() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let (_secrets, place) = secrets("");
    let tls = ", client_auth = { mode = \"optional\", ca = [\"$pki/gm-ca.pem\"] }";
    let rest =
        "mechanisms = [\"external\"]\n[mail_auth.a]\ncertificate = { from = \"common-name\" }\n";
    let alb = imap(&pki, &dovecot, tls, MASTER, rest, &place).await;
    let alice = Offer::tlcp(&pki).pair(&pki, "client");
    let mut client = attempt(&alb, &alice, "a AUTHENTICATE EXTERNAL =", "a OK").await;
    client.ask("b SELECT INBOX", "b OK").await;
    dovecot.process().wait_for("user=<alice>").await;
    // Another name than that of the certificate, and no certificate at all.
    attempt(&alb, &alice, "a AUTHENTICATE EXTERNAL Ym9i", "a NO").await;
    attempt(
        &alb,
        &Offer::tlcp(&pki),
        "a AUTHENTICATE EXTERNAL =",
        "a NO",
    )
    .await;
    attempt(
        &alb,
        &Offer::tlcp(&pki),
        "a AUTHENTICATE EXTERNAL YWxpY2U=",
        "a NO",
    )
    .await;
}

#[tokio::test]
async fn a_certificate_can_be_wanted_besides_the_password() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let (_secrets, place) = secrets("");
    let tls = ", client_auth = { mode = \"optional\", ca = [\"$pki/gm-ca.pem\"] }";
    let rest = "[mail_auth.a]\ncertificate = { from = \"common-name\", second_factor = true }\n";
    let alb = imap(&pki, &dovecot, tls, "login = \"password\"", rest, &place).await;
    let alice = Offer::tlcp(&pki).pair(&pki, "client");
    attempt(&alb, &alice, "a LOGIN alice \"se cret\"", "a OK").await;
    attempt(&alb, &alice, "a LOGIN alice wrong", "a NO").await;
    attempt(&alb, &alice, "a LOGIN bob \"se cret\"", "a NO").await;
    attempt(
        &alb,
        &Offer::tlcp(&pki),
        "a LOGIN alice \"se cret\"",
        "a NO",
    )
    .await;
}

#[tokio::test]
async fn a_service_names_the_server_and_the_password_for_it() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let at = dovecot.imap();
    let answer = format!(
        "Auth-Status: OK\r\nAuth-Server: {}\r\nAuth-Port: {}\r\nAuth-User: alice\r\nAuth-Pass: se cret\r\n",
        at.ip(),
        at.port()
    );
    let (service, _) = Script::deciding(move |_| answer.clone()).await;
    let place = [("service", service.address().to_string())];
    let asking = |allowed: &str| {
        format!(
            "[mail_auth.a]\nhttp = {{ upstream = \"service\", allowed_backends = [{allowed}] }}\n[upstream.service]\npeers = [\"$service\"]\n"
        )
    };
    let alb = imap(
        &pki,
        &dovecot,
        "",
        "login = \"password\"",
        &asking("\"127.0.0.0/8\""),
        &place,
    )
    .await;
    let mut client = attempt(&alb, &Offer::tlcp(&pki), "a LOGIN whoever whatever", "a OK").await;
    client.ask("b SELECT INBOX", "b OK").await;
    dovecot.process().wait_for("user=<alice>").await;
    let alb = imap(
        &pki,
        &dovecot,
        "",
        "login = \"password\"",
        &asking("\"10.0.0.0/8\""),
        &place,
    )
    .await;
    attempt(
        &alb,
        &Offer::tlcp(&pki),
        "a LOGIN whoever whatever",
        "a NO [UNAVAILABLE]",
    )
    .await;
}

/// OpenLDAP within TLS at one address and with StartTLS at another.
struct Slapd {
    _process: Process,
    _directory: tempfile::TempDir,
    ldaps: Reserved,
    ldap: Reserved,
}

impl Slapd {
    async fn start(pki: &Pki) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().display();
        std::fs::create_dir(directory.path().join("db")).expect("a directory");
        let (ldaps, ldap) = (Reserved::v4(), Reserved::v4());
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\ninclude /etc/ldap/schema/inetorgperson.schema\n\
             modulepath /usr/lib/ldap\nmoduleload back_mdb\nTLSCertificateFile {pki}/server.pem\nTLSCertificateKeyFile {pki}/server.key\n\
             security simple_bind=128\ndatabase mdb\nsuffix dc=x\ndirectory {path}/db\nrootdn cn=alice,dc=x\nrootpw geheim\n",
            pki = pki.path().display(),
        );
        std::fs::write(directory.path().join("slapd.conf"), config).expect("written");
        let mut command = Command::new("/usr/sbin/slapd");
        let urls = format!("ldaps://{} ldap://{}", ldaps.address(), ldap.address());
        command
            .args(["-d", "stats", "-h", &urls, "-f"])
            .arg(directory.path().join("slapd.conf"));
        let process = Process::start("slapd", &mut command);
        process.wait_for("slapd starting").await;
        Self {
            _process: process,
            _directory: directory,
            ldaps,
            ldap,
        }
    }
}

#[tokio::test]
async fn a_directory_is_asked_within_tls_and_after_starttls() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let slapd = Slapd::start(&pki).await;
    for (starttls, at) in [("false", &slapd.ldaps), ("true", &slapd.ldap)] {
        let (_secrets, [secret]) = secrets("");
        let place = [secret, ("ldap", at.address().to_string())];
        let rest = format!(
            "[mail_auth.a]\nldap = {{ upstream = \"ldap\", starttls = {starttls}, bind_dn = \"cn={{user}},dc=x\" }}\n\
             [upstream.ldap]\npeers = [\"$ldap\"]\ntls = {{ ca = [\"$pki/ca.pem\"], server_name = \"localhost\" }}\n"
        );
        let alb = imap(&pki, &dovecot, "", MASTER, &rest, &place).await;
        attempt(
            &alb,
            &Offer::tlcp(&pki),
            "a LOGIN alice wrong",
            "a NO [AUTHENTICATIONFAILED]",
        )
        .await;
        attempt(&alb, &Offer::tlcp(&pki), "a LOGIN alice geheim", "a OK").await;
        // A certificate by another authority: nobody can say.
        let rest = rest.replace("$pki/ca.pem", "$pki/gm-ca.pem");
        let alb = imap(&pki, &dovecot, "", MASTER, &rest, &place).await;
        attempt(
            &alb,
            &Offer::tlcp(&pki),
            "a LOGIN alice geheim",
            "a NO [UNAVAILABLE]",
        )
        .await;
    }
}
