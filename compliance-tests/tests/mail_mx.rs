//! Mail without login: a service decides where it goes, and the names of clients are looked up.

use alb_compliance_tests::Alb;
use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::origin::{Dns, Dovecot, LineServer, Postfix, Script};
use alb_compliance_tests::pki::Pki;
use alb_compliance_tests::process::Lines;

/// A service that says for every recipient what stands behind it, and tells what it was asked.
async fn service(answers: &[(&str, String)]) -> (Script, Lines) {
    let answers = answers.iter();
    let answers: Vec<_> = answers
        .map(|(to, answer)| ((*to).to_owned(), answer.clone()))
        .collect();
    Script::deciding(move |request| {
        let found = answers.iter().find(|(to, _)| request.contains(to.as_str()));
        let (_, answer) = found.unwrap_or_else(|| panic!("no answer to {request}"));
        answer.clone()
    })
    .await
}

const MX: &str = r#"
    [daemon]
    resolvers = ["$dns"]
    [[mail]]
    protocol = "smtp"
    listen = ["$mx"]
    upstream = "nobody"
    auth = "service"
    proxy_protocol = true
    trusted_proxies = ["127.0.0.1"]
    smtp = { client_names = true, mx = { relay_domains = ["gov.example"] } }
    [mail_auth.service]
    http = { upstream = "service", allowed_backends = ["127.0.0.0/8"] }
    [upstream.service]
    peers = ["$service"]
    [upstream.nobody]
    peers = ["127.0.0.1:9"]
    mail = { client_info = "xclient" }
"#;

/// A client that comes from this address.
async fn from(alb: &Alb, address: &str) -> LineClient {
    let mut client = LineClient::connect(alb.address("mx")).await;
    client
        .send(format!("PROXY TCP4 {address} 192.0.2.1 4711 25\r\n"))
        .await;
    client.until("220").await;
    client.ask("EHLO sender.test", "250 ").await;
    client.ask("MAIL FROM:<carol@sender.test>", "250").await;
    client
}

#[tokio::test]
async fn a_service_says_where_mail_without_login_goes_and_hears_who_brings_it() {
    let pki = Pki::new();
    let dovecot = Dovecot::start(&pki).await;
    let postfix = Postfix::start(&pki, &dovecot).await;
    let records = [
        "--host-record=mx.sender.test,192.0.2.7",
        "--ptr-record=8.2.0.192.in-addr.arpa,mx.sender.test",
        "--ptr-record=9.2.0.192.in-addr.arpa,odd_name.sender.test",
        "--host-record=odd_name.sender.test,192.0.2.9",
        "--local=/2.0.192.in-addr.arpa/",
    ];
    let dns = Dns::start("", &records.map(str::to_owned)).await;
    let at = postfix.mx();
    let there = format!(
        "Auth-Status: OK\r\nAuth-Server: {}\r\nAuth-Port: {}\r\n",
        at.ip(),
        at.port()
    );
    let full = "Auth-Status: mailbox full\r\nAuth-Error-Code: 452 4.2.2\r\nAuth-Wait: 1\r\n";
    let (script, asked) = service(&[
        ("TO:<bob@gov.example>", there),
        ("TO:<full@gov.example>", full.to_owned()),
        (
            "TO:<nobody@gov.example>",
            "Auth-Status: no such user\r\nAuth-Error-Code: 550 5.1.1\r\n".to_owned(),
        ),
    ])
    .await;
    let alb = Alb::new()
        .place("dns", dns.address())
        .place("service", script.address())
        .start(MX)
        .await;
    let mut client = from(&alb, "192.0.2.7").await;
    client
        .ask(
            "RCPT TO:<eve@other.example>",
            "550 5.7.1 Relay access denied",
        )
        .await;
    client
        .ask("RCPT TO:<full@gov.example>", "452 4.2.2 mailbox full")
        .await;
    // It may try again, and nothing of the first attempt is in the second.
    client.ask("RCPT TO:<bob@gov.example>", "250").await;
    client.ask("DATA", "354").await;
    client.ask("Subject: x\r\n\r\nhello\r\n.", "250").await;
    let request = asked.find(0, "TO:<bob").expect("it was asked");
    for line in [
        "Auth-Method: none\nAuth-User: \nAuth-Pass: \n",
        "Auth-Login-Attempt: 2\nClient-IP: 192.0.2.7\nClient-Host: mx.sender.test\n",
        "Auth-SMTP-Helo: sender.test\nAuth-SMTP-From: MAIL FROM:<carol@sender.test>\nAuth-SMTP-To: RCPT TO:<bob@gov.example>\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
    let log = postfix.process();
    log.wait_for("client=mx.sender.test[192.0.2.7]").await;
    // A name without that address, and one that cannot be a host's.
    for address in ["192.0.2.8", "192.0.2.9", "192.0.2.10"] {
        let mut client = from(&alb, address).await;
        client
            .ask("RCPT TO:<nobody@gov.example>", "550 5.1.1 no such user")
            .await;
        assert_eq!(client.rest().await, "");
        let request = asked.find(0, &format!("Client-IP: {address}\n"));
        let request = request.expect("it was asked");
        assert!(
            request.contains("Client-Host: [UNAVAILABLE]\n"),
            "{request}"
        );
    }
    // Without an answer nobody knows; the mail is not held up by it.
    let mut client = from(&alb, "198.51.100.1").await;
    client.ask("RCPT TO:<nobody@gov.example>", "550").await;
    let request = asked.find(0, "Client-IP: 198.51.100.1\n");
    let request = request.expect("it was asked");
    assert!(
        request.contains("Client-Host: [TEMPUNAVAIL]\n"),
        "{request}"
    );
}

#[tokio::test]
async fn a_service_is_asked_about_each_message_and_each_of_its_upstreams() {
    let servers = [LineServer::smtp(&[]).await, LineServer::smtp(&[]).await];
    let there = |server: &LineServer| {
        let (ip, port) = (server.address().ip(), server.address().port());
        format!("Auth-Status: OK\r\nAuth-Server: {ip}\r\nAuth-Port: {port}\r\n")
    };
    let full = "Auth-Status: mailbox full\r\nAuth-Error-Code: 452 4.2.2\r\nAuth-Wait: 1\r\n";
    let (script, asked) = service(&[
        ("TO:<bob@gov.example>", there(&servers[0])),
        ("TO:<eve@other.example>", there(&servers[1])),
        ("TO:<bob@other.example>", there(&servers[0])),
        ("TO:<full@", full.to_owned()),
    ])
    .await;
    let fanout = "mx = { relay_domains = [\"gov.example\", \"other.example\"], \
         upstreams = { \"other.example\" = \"service\" }, multi_pool = \"fanout\" }";
    let config = MX
        .replace("mx = { relay_domains = [\"gov.example\"] }", fanout)
        .replace("mail = { client_info = \"xclient\" }", "")
        .replace(
            "upstream = \"nobody\"",
            "upstream = \"nobody\"\ncapabilities = [\"SIZE 0\"]",
        );
    let alb = Alb::new()
        .place("dns", "127.0.0.1:53")
        .place("service", script.address())
        .start(&config.replace("client_names = true, ", ""))
        .await;
    let mut client = from(&alb, "192.0.2.7").await;
    for message in 1..=3 {
        client.ask("RCPT TO:<full@gov.example>", "452 4.2.2").await;
        // The second and the third message find the session where it is to be.
        client.ask("RCPT TO:<bob@gov.example>", "250 2.1.5").await;
        client
            .ask("RCPT TO:<full@other.example>", "452 4.2.2")
            .await;
        client.ask("RCPT TO:<eve@other.example>", "250 2.1.5").await;
        client.ask("RCPT TO:<carol@gov.example>", "250 2.1.5").await;
        client
            .ask("RCPT TO:<full@other.example>", "250 2.1.5")
            .await;
        client.ask("DATA", "354").await;
        client
            .ask("Subject: x\r\n\r\nx\r\n.", "250 2.0.0 Ok, taken by 2")
            .await;
        client.ask("MAIL FROM:<carol@sender.test>", "250").await;
        let text = asked.text();
        let count = |to: &str| text.matches(&format!("RCPT TO:<{to}")).count();
        let counts = [
            "bob@gov",
            "eve@other",
            "full@gov",
            "full@other",
            "carol@gov",
        ]
        .map(count);
        assert_eq!(counts, [message, message, message, message, 0]);
    }
    // Another domain, but the same server.
    client.ask("RCPT TO:<bob@other.example>", "250 2.1.5").await;
    client.ask("QUIT", "221").await;
    let connected = |at: usize| servers[at].heard().text().matches("connected").count();
    assert_eq!((connected(0), connected(1)), (2, 3));
}

#[tokio::test]
async fn without_the_service_mail_is_put_off() {
    let nobody = alb_compliance_tests::address::nobody();
    let alb = Alb::new()
        .place("dns", nobody.address())
        .place("service", nobody.address())
        .start(MX)
        .await;
    let mut client = from(&alb, "192.0.2.7").await;
    client.ask("RCPT TO:<bob@gov.example>", "451 4.4.1").await;
    client.ask("QUIT", "221").await;
}

#[test]
fn a_file_of_users_has_no_say_where_nobody_logs_in() {
    let text = MX.replace(
        "http = { upstream = \"service\", allowed_backends = [\"127.0.0.0/8\"] }",
        "file = \"users\"",
    );
    let checked = Alb::new()
        .place("dns", "127.0.0.1:53")
        .place("service", "127.0.0.1:9")
        .file("users", "")
        .check(&text);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned()
        + &String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(78), "{said}");
    assert!(said.contains("nobody logs in"), "{said}");
}
