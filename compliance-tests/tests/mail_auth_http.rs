//! A service that decides about logins is asked byte for byte as nginx's mail module asks it.

use std::net::SocketAddr;
use std::process::Command;

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::Script;
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::Process;
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A service that turns everybody away, and tells what it was asked.
struct Service {
    script: Script,
    requests: UnboundedReceiver<Vec<u8>>,
}

impl Service {
    async fn start() -> Self {
        let (tell, requests) = unbounded_channel();
        let script = Script::start(move |mut stream| {
            let tell = tell.clone();
            async move {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    assert!(stream.read_buf(&mut request).await.expect("a request") > 0);
                }
                let answer = b"HTTP/1.0 200 OK\r\nAuth-Status: no\r\n\r\n";
                stream.write_all(answer).await.expect("sent");
                tell.send(request).expect("a test that listens");
            }
        })
        .await;
        Self { script, requests }
    }

    fn address(&self) -> SocketAddr {
        self.script.address()
    }

    async fn asked(&mut self) -> String {
        let request = within("a request", self.requests.recv()).await;
        let request = request.expect("a service");
        request.escape_ascii().to_string().replace("\\r\\n", "\n")
    }
}

/// nginx's mail module in front of a service, at five addresses: SMTP, IMAP, POP3, SMTP within TLS, and SMTP without login.
struct NginxMail {
    _process: Process,
    _directory: tempfile::TempDir,
    at: [Reserved; 5],
}

impl NginxMail {
    async fn start(service: SocketAddr, pki: &Pki) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = [(); 5].map(|()| Reserved::v4());
        let [smtp, imap, pop3, smtps, mx] = &at;
        let pki = pki.path().display();
        let config = format!(
            "load_module /usr/lib/nginx/modules/ngx_mail_module.so;\ndaemon off;\nmaster_process off;\nerror_log stderr notice;\npid nginx.pid;\nevents {{}}\n\
             mail {{\nserver_name mail.test;\nauth_http {service}/auth;\nauth_http_header X-Key secret;\nauth_http_pass_client_cert on;\n\
             server {{ listen {}; protocol smtp; smtp_auth plain login cram-md5; }}\n\
             server {{ listen {}; protocol imap; }}\n\
             server {{ listen {}; protocol pop3; pop3_auth plain; }}\n\
             server {{ listen {}; protocol smtp; smtp_auth none; }}\n\
             server {{ listen {} ssl; ssl_protocols TLSv1.3; protocol smtp; smtp_auth plain external; ssl_certificate {pki}/server.pem; ssl_certificate_key {pki}/server.key; ssl_verify_client optional; ssl_client_certificate {pki}/ca.pem; }}\n}}\n",
            smtp.address(),
            imap.address(),
            pop3.address(),
            mx.address(),
            smtps.address(),
        );
        std::fs::write(directory.path().join("nginx.conf"), config).expect("a file of ours");
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(directory.path())
            .args(["-e", "stderr", "-c", "nginx.conf"]);
        let process = Process::start("nginx", &mut command);
        process.wait_for("event method").await;
        Self {
            _process: process,
            _directory: directory,
            at,
        }
    }
}

const ASKING: &str = r#"
    [mail_auth.service.http]
    upstream = "service"
    path = "/auth"
    keepalive = 0
    headers = { X-Key = "secret" }
    pass_client_certificate = true
    [upstream.service]
    peers = ["$service"]
    [upstream.nobody]
    peers = ["127.0.0.1:9"]
"#;

/// The same for [`NginxMail`]'s counterpart.
const LISTENERS: &str = r#"
    [[mail]]
    protocol = "smtp"
    listen = ["$smtp"]
    upstream = "nobody"
    auth = "service"
    mechanisms = ["plain", "login", "cram-md5"]
    plaintext_auth = true
    [[mail]]
    protocol = "imap"
    listen = ["$imap"]
    upstream = "nobody"
    auth = "service"
    plaintext_auth = true
    [[mail]]
    protocol = "pop3"
    listen = ["$pop3"]
    upstream = "nobody"
    auth = "service"
    plaintext_auth = true
    [[mail]]
    protocol = "smtp"
    listen = ["$smtps"]
    upstream = "nobody"
    auth = "service"
    mechanisms = ["plain", "external"]
    tls = { mode = "implicit", identities = ["tls"], client_auth = { mode = "optional", ca = ["$pki/ca.pem"] } }
    [[mail]]
    protocol = "smtp"
    listen = ["$mx"]
    upstream = "nobody"
    auth = "service"
    smtp = { mx = { relay_domains = ["gov.example"] } }
"#;

/// What the client says, and how the answer begins.
type Turn = (&'static str, &'static str);

/// Goes through a dialogue.
async fn say(client: &mut LineClient, lines: &[Turn]) {
    for (line, answer) in lines {
        client.ask(line, answer).await;
    }
}

/// A request without what is random in it.
fn steady(request: &str) -> String {
    let digest = request.contains("\nAuth-Salt: ");
    let line = |line: &str| match line.split_once(": ") {
        Some(("Auth-Salt", _)) => "Auth-Salt: *".to_owned(),
        Some(("Auth-Pass", _)) if digest => "Auth-Pass: *".to_owned(),
        _ => line.to_owned(),
    };
    request.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_service_is_asked_byte_for_byte_as_nginx_asks_it() {
    let pki = Pki::new();
    let mut service = Service::start().await;
    let nginx = NginxMail::start(service.address(), &pki).await;
    let identities = pki::IDENTITIES;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("service", service.address())
        .start(&format!("{LISTENERS}{ASKING}{identities}"))
        .await;
    let ours = ["smtp", "imap", "pop3", "smtps", "mx"].map(|name| alb.address(name));
    let theirs = nginx.at.each_ref().map(Reserved::address);
    let ehlo = ("EHLO client.test", "250 ");
    // `\0al ice%\0p w%~`; `tim` with a digest of nothing in particular.
    let dialogues: [(usize, &str, &[Turn]); 6] = [
        (
            0,
            "220",
            &[ehlo, ("AUTH PLAIN AGFsIGljZSUAcCB3JX4=", "535")],
        ),
        (
            0,
            "220",
            &[
                ehlo,
                ("AUTH LOGIN", "334"),
                ("dGlt", "334"),
                ("cHc=", "535"),
            ],
        ),
        (
            0,
            "220",
            &[
                ehlo,
                ("AUTH CRAM-MD5", "334"),
                ("dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw", "535"),
            ],
        ),
        (1, "* OK", &[("a LOGIN \"bob\" \"p w\"", "a NO")]),
        (2, "+OK", &[("USER bob", "+OK"), ("PASS a b ", "-ERR")]),
        (
            4,
            "220",
            &[
                ehlo,
                ("mail FROM:<a@b.example>", "250"),
                ("RCPT TO:<c@gov.example>", "535"),
            ],
        ),
    ];
    for (index, greeting, lines) in dialogues {
        let mut seen = Vec::new();
        for address in [ours[index], theirs[index]] {
            let mut client = LineClient::connect(address).await;
            client.until(greeting).await;
            say(&mut client, lines).await;
            seen.push(steady(&service.asked().await));
        }
        assert_eq!(seen[0], seen[1]);
    }
    // nginx 1.22 speaks TLS 1.2 unless told otherwise, and prefers another suite.
    let offer = || Offer::tls(&pki).suite("TLS_AES_128_GCM_SHA256");
    let offers = [offer(), offer().certificate(&pki, "client")];
    for (offer, login) in offers
        .iter()
        .zip(["AUTH PLAIN AHRpbQBwdw==", "AUTH EXTERNAL dGlt"])
    {
        let mut seen = Vec::new();
        for address in [ours[3], theirs[3]] {
            let mut client = LineClient::secure(address, offer).await;
            client.until("220").await;
            say(&mut client, &[ehlo, (login, "535")]).await;
            seen.push(service.asked().await);
        }
        assert_eq!(seen[0], seen[1]);
    }
}
