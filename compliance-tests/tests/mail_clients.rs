//! Mail programs as people use them, through the gateway, with a real Dovecot and a real Postfix behind: curl, swaks,
//! isync, OfflineIMAP, msmtp, mpop and Python's own clients.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::dovecot::PASSWORD;
use alb_compliance_tests::origin::{Dovecot, Postfix};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::{Alb, tools};
use tempfile::TempDir;

/// `PROTOCOL_implicit` and `PROTOCOL_starttls` of one daemon, with their servers.
struct Place {
    pki: Pki,
    dovecot: Dovecot,
    postfix: Postfix,
    alb: Alb,
    directory: TempDir,
}

const UPSTREAMS: &str = r#"
[upstream.imap]
peers = ["$at_imap"]
mail = { client_info = "id" }
[upstream.pop3]
peers = ["$at_pop3"]
mail = { client_info = "xclient" }
[upstream.smtp]
peers = ["$at_smtp"]
mail = { client_info = "xclient" }
"#;

impl Place {
    async fn new() -> Self {
        let pki = Pki::new();
        let dovecot = Dovecot::start(&pki).await;
        let postfix = Postfix::start(&pki, &dovecot).await;
        let mut config = format!("{UPSTREAMS}{}", pki::IDENTITIES);
        for protocol in ["imap", "pop3", "smtp"] {
            for mode in ["implicit", "starttls"] {
                config += &Listener::new(&format!("{protocol}_{mode}"), protocol, mode, protocol)
                    .to_string();
            }
        }
        let alb = Alb::new()
            .place("pki", &pki)
            .place("at_imap", dovecot.imap())
            .place("at_pop3", dovecot.pop3())
            .place("at_smtp", postfix.submission())
            .start(&config)
            .await;
        let directory = tempfile::tempdir().expect("a directory");
        Self {
            pki,
            dovecot,
            postfix,
            alb,
            directory,
        }
    }

    fn port(&self, listener: &str) -> u16 {
        self.alb.address(listener).port()
    }

    fn ca(&self) -> String {
        self.pki.path().join("ca.pem").display().to_string()
    }

    /// A file that only its owner may read: mail programs refuse passwords in others.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file of ours");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of ours");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs a program to its end, which must be a good one; what it printed.
    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).env("HOME", self.directory.path());
        let output = tools::finish(command).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{program} {arguments:?}:\n{said}{errors}"
        );
        said
    }

    async fn curl(&self, arguments: &[&str]) -> String {
        let login = format!("alice:{PASSWORD}");
        let ca = self.ca();
        let ours = ["-4", "--ssl-reqd", "--cacert", &ca, "--user", &login];
        tools::curl(&[&ours, arguments].concat()).await
    }
}

const MESSAGE: &str = "From: alice@gov.example\r\nTo: bob@gov.example\r\nSubject: hello\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@gov.example>\r\n\r\nhello\r\n";

#[tokio::test]
async fn curl_reads_and_sends() {
    let place = Place::new().await;
    let message = place.file("message", MESSAGE);
    for (mode, end, login) in [
        ("implicit", "s", "AUTH=PLAIN"),
        ("starttls", "", "AUTH=LOGIN"),
    ] {
        let at = |protocol: &str| {
            format!(
                "{protocol}{end}://localhost:{}",
                place.port(&format!("{protocol}_{mode}"))
            )
        };
        let login = ["--login-options", login];
        let mailbox = format!("{}/INBOX", at("imap"));
        place
            .curl(&[&login[..], &["-T", &message, &mailbox]].concat())
            .await;
        let fetched = place
            .curl(&[&login[..], &[&format!("{mailbox};MAILINDEX=1")]].concat())
            .await;
        assert!(fetched.ends_with("\r\nhello\r\n"), "{fetched}");
        let listed = place.curl(&[&login[..], &[&at("pop3")]].concat()).await;
        assert!(listed.starts_with("1 "), "{listed}");
        let fetched = place
            .curl(&[&login[..], &[&format!("{}/1", at("pop3"))]].concat())
            .await;
        assert!(fetched.ends_with("\r\nhello\r\n"), "{fetched}");
        let envelope = [
            "--mail-from",
            "alice@gov.example",
            "--mail-rcpt",
            "bob@gov.example",
            "-T",
            &message,
        ];
        place
            .curl(&[&login[..], &envelope, &[&at("smtp")]].concat())
            .await;
    }
    place.postfix.delivered(2).await;
}

#[tokio::test]
async fn swaks_sends_by_every_mechanism_and_in_a_pipeline() {
    let place = Place::new().await;
    for (mode, tls) in [("starttls", "--tls"), ("implicit", "--tls-on-connect")] {
        let port = place.port(&format!("smtp_{mode}")).to_string();
        for mechanism in ["PLAIN", "LOGIN"] {
            let who = [
                "--auth",
                mechanism,
                "--auth-user",
                "alice",
                "--auth-password",
                PASSWORD,
            ];
            let what = [
                "--server",
                "127.0.0.1",
                "--port",
                &port,
                "--pipeline",
                tls,
                "--from",
                "alice@gov.example",
                "--to",
                "bob@gov.example,carol@gov.example",
            ];
            let said = place.run("swaks", &[&what[..], &who].concat()).await;
            assert!(said.contains("queued as"), "{said}");
        }
    }
    place.postfix.delivered(8).await;
}

#[tokio::test]
async fn isync_brings_mailboxes_here_and_there() {
    let place = Place::new().await;
    let local = place.path("local");
    for part in ["", "INBOX", "INBOX/cur", "INBOX/new", "INBOX/tmp"] {
        fs::create_dir_all(local.join(part)).expect("a directory in ours");
    }
    fs::write(
        local.join("INBOX/new/1.mine"),
        MESSAGE.replace("\r\n", "\n"),
    )
    .expect("a file in ours");
    place.dovecot.fill("alice", 20);
    for (mode, tls) in [("starttls", "STARTTLS"), ("implicit", "IMAPS")] {
        let config = format!(
            "IMAPAccount a\nHost localhost\nPort {}\nUser alice\nPass \"{PASSWORD}\"\nSSLType {tls}\nCertificateFile {}\nPipelineDepth 10\n\n\
             IMAPStore far\nAccount a\n\nMaildirStore near\nPath {local}/\nInbox {local}/INBOX\nSubFolders Verbatim\n\n\
             Channel c\nFar :far:\nNear :near:\nPatterns INBOX\nCreate Both\nSyncState *\n",
            place.port(&format!("imap_{mode}")),
            place.ca(),
            local = local.display(),
        );
        let config = place.file("mbsyncrc", &config);
        place.run("mbsync", &["--config", &config, "--all"]).await;
    }
    let count = |part: &str| {
        fs::read_dir(local.join("INBOX").join(part))
            .expect("a directory")
            .count()
    };
    assert_eq!(count("new") + count("cur"), 21);
    let mailbox = format!(
        "imaps://localhost:{}/INBOX;MAILINDEX=21",
        place.port("imap_implicit")
    );
    let fetched = place.curl(&[&mailbox]).await;
    assert!(fetched.contains("Subject: hello"), "{fetched}");
}

#[tokio::test]
async fn offlineimap_brings_mailboxes_here_and_there() {
    let place = Place::new().await;
    place.dovecot.fill("alice", 20);
    // Its library (imaplib2) reads and writes one SSL object in two threads at once. With TLS 1.3 the reader has tickets to take
    // while CAPABILITY is being written, which at times breaks the records of the client.
    let openssl = "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n";
    let openssl = format!("OPENSSL_CONF={}", place.file("openssl.cnf", openssl));
    for (number, mode) in ["starttls", "implicit"].into_iter().enumerate() {
        let local = place.path(mode);
        for part in ["", "INBOX", "INBOX/cur", "INBOX/new", "INBOX/tmp"] {
            fs::create_dir_all(local.join(part)).expect("a directory in ours");
        }
        // What is here already goes there.
        let mine = MESSAGE.replace("\r\n", "\n");
        fs::write(local.join("INBOX/new/1.mine"), mine).expect("a file in ours");
        let security = match mode {
            "starttls" => "ssl = no\nstarttls = yes",
            _ => "ssl = yes\nstarttls = no",
        };
        let config = format!(
            "[general]\naccounts = a\nmetadata = {}\nui = basic\n[Account a]\nlocalrepository = near\nremoterepository = far\n\
             [Repository near]\ntype = Maildir\nlocalfolders = {}\n\
             [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = alice\nremotepass = {PASSWORD}\n\
             {security}\nsslcacertfile = {}\nauth_mechanisms = PLAIN\n",
            place.path(&format!("{mode}.meta")).display(),
            local.display(),
            place.port(&format!("imap_{mode}")),
            place.ca(),
        );
        let config = place.file("offlineimaprc", &config);
        place
            .run("env", &[&openssl, "offlineimap", "-c", &config, "-o"])
            .await;
        let count = |part: &str| {
            let entries = fs::read_dir(local.join("INBOX").join(part));
            entries.expect("a directory").count()
        };
        assert_eq!(count("new") + count("cur"), 21 + number, "{mode}");
    }
    let mailbox = format!(
        "imaps://localhost:{}/INBOX;MAILINDEX=22",
        place.port("imap_implicit")
    );
    let fetched = place.curl(&[&mailbox]).await;
    assert!(fetched.contains("Subject: hello"), "{fetched}");
}

#[tokio::test]
async fn msmtp_sends_and_mpop_fetches() {
    let place = Place::new().await;
    place.dovecot.fill("bob", 20);
    for (mode, starttls) in [("starttls", "on"), ("implicit", "off")] {
        let account = |protocol: &str, user: &str| {
            format!(
                "account a\nhost localhost\nport {}\nuser {user}\npassword \"{PASSWORD}\"\nauth plain\ntls on\ntls_starttls {starttls}\ntls_trust_file {}\n",
                place.port(&format!("{protocol}_{mode}")),
                place.ca()
            )
        };
        let config = account("smtp", "alice") + "from alice@gov.example\n";
        let config = place.file("msmtprc", &config);
        let message = place.file("message", MESSAGE);
        let send = format!("msmtp --file={config} --account=a bob@gov.example < {message}");
        place.run("sh", &["-c", &send]).await;
        let inbox = place.path(mode);
        let config = account("pop3", "bob")
            + &format!(
                "delivery maildir {}\nkeep on\nuidls_file {}\n",
                inbox.display(),
                place.path("uidls").display()
            );
        for part in ["", "cur", "new", "tmp"] {
            fs::create_dir_all(inbox.join(part)).expect("a directory in ours");
        }
        let config = place.file("mpoprc", &config);
        let all = [
            "--file",
            &config,
            "--all-accounts",
            "--quiet",
            "--only-new=off",
        ];
        place.run("mpop", &all).await;
        assert_eq!(
            fs::read_dir(inbox.join("new"))
                .expect("a directory")
                .count(),
            20
        );
    }
    place.postfix.delivered(2).await;
}

/// 20 MiB up and down by IMAP, a thousand messages' names by POP3, a hundred recipients, 8-bit, UTF-8 addresses and
/// delivery status by SMTP.
#[tokio::test]
async fn pythons_clients_do_all_they_can() {
    let place = Place::new().await;
    place.dovecot.fill("bob", 1000);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail_client.py");
    let ca = place.ca();
    let before = place.alb.resident_memory();
    let ways = [("implicit", "TLSv1_3"), ("starttls", "TLSv1_2")];
    for (mode, version) in ways {
        for protocol in ["imap", "pop3", "smtp"] {
            let port = place.port(&format!("{protocol}_{mode}")).to_string();
            place
                .run(
                    "python3",
                    &[script, protocol, &port, &ca, mode, version, PASSWORD],
                )
                .await;
        }
    }
    let grown = place.alb.resident_memory().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more after 21 MiB each way");
    let messages = place.postfix.delivered(204).await;
    let eight = |message: &Vec<u8>| String::from_utf8_lossy(message).contains("\u{90ae}\u{4ef6}\n");
    assert!(messages.iter().any(eight));
}
