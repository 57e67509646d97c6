//! What leaves the daemon, and in how many pieces; and names of clients that are made to be believed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use alb_compliance_tests::client::LineClient;
use alb_compliance_tests::mail::Listener;
use alb_compliance_tests::origin::line_server::Act;
use alb_compliance_tests::origin::{LineServer, Script};
use alb_compliance_tests::pki::{self, Pki};
use alb_compliance_tests::process::{Lines, Process};
use alb_compliance_tests::stopwatch::within;
use alb_compliance_tests::{Alb, Offer};
use tokio::io::AsyncReadExt;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// The calls of a running daemon that write to sockets, with all they write in hexadecimal.
async fn traced(alb: &Alb) -> Process {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-xx", "-s", "4096", "-e"])
        .arg("trace=write,writev,sendto,sendmsg")
        .args(["-p", &alb.process().pid().to_string()]);
    let trace = Process::start("strace", &mut command);
    trace.wait_for("attached").await;
    trace
}

/// What a call wrote, and how much of it was taken.
fn written(line: &str) -> (Vec<u8>, usize) {
    let mut bytes = Vec::new();
    for text in line.split('"').skip(1).step_by(2) {
        let hex = text.split("\\x").skip(1);
        bytes.extend(hex.map(|hex| u8::from_str_radix(hex, 16).expect("hexadecimal")));
    }
    let taken = line.rsplit_once("= ").expect("its outcome").1;
    let taken = taken.split(' ').next().unwrap_or(taken);
    (bytes, taken.parse().expect("a length"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

/// Dovecot resets a connection whose header comes in two segments.
#[tokio::test]
async fn a_proxy_header_leaves_in_one_write() {
    let pki = Pki::new();
    let mut config = pki::IDENTITIES.to_owned();
    let server = Script::start(silent).await;
    for version in ["v1", "v2"] {
        let listener =
            Listener::new(version, "imap", "implicit", version).with("capabilities = [\"IDLE\"]");
        config += &format!(
            "{listener}[upstream.{version}]\npeers = [\"$server\"]\nproxy_protocol = \"{version}\"\n"
        );
    }
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address())
        .start(&config)
        .await;
    let trace = traced(&alb).await;
    let offer = Offer::tlcp(&pki);
    for (version, signature) in [
        ("v1", &b"PROXY TCP4 "[..]),
        ("v2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11"),
    ] {
        let mut client = LineClient::secure(alb.address(version), &offer).await;
        client.until("* OK").await;
        client.send("a LOGIN alice right\r\n").await;
        let line = trace.wait_for(&hex(signature)).await;
        let (bytes, taken) = written(&line);
        let whole = match version {
            "v1" => bytes.iter().position(|b| *b == b'\n').map(|end| end + 1),
            _ => Some(16 + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]))),
        };
        assert!(bytes.starts_with(signature), "{line}");
        // Nothing else is due before the server has greeted.
        assert_eq!((Some(bytes.len()), Some(taken)), (whole, whole), "{line}");
    }
}

/// Says nothing until the peer leaves.
async fn silent(mut stream: tokio::net::TcpStream) {
    let mut bytes = Vec::new();
    // Whatever it was, the test looks at it where it left.
    let _ = stream.read_to_end(&mut bytes).await;
}

/// Who is looked up; of 127.0.0.0/8 no name server is asked (RFC 6761).
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);

/// A name server of somebody who means harm: every address is called `name`, and every name has the address [`CLIENT`].
async fn deceiver(name: &'static [u8]) -> (SocketAddr, Lines, JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("its address");
    let asked = Lines::default();
    let tell = asked.clone();
    let task = tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let question = &buffer[12..length];
            let end = question.iter().position(|b| *b == 0).expect("a name") + 5;
            let kind = question[end - 3];
            tell.push(format!("type {kind}"));
            let data = match kind {
                // PTR: one label, and the root.
                12 => [&[u8::try_from(name.len()).expect("short")], name, &[0]].concat(),
                1 => CLIENT.octets().to_vec(),
                _ => Vec::new(),
            };
            let answers = u8::from(!data.is_empty());
            let head = [&buffer[..2], &[0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]].concat();
            let mut answer = [&head[..], &question[..end]].concat();
            if answers == 1 {
                // The name that was asked for, its type, class IN, a minute.
                let length = u8::try_from(data.len()).expect("short");
                answer.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, length]);
                answer.extend(data);
            }
            socket.send_to(&answer, from).await.expect("sent");
        }
    });
    (address, asked, task)
}

/// nginx passed them on (CVE-2026-28753).
#[tokio::test]
async fn a_name_with_line_ends_reaches_neither_the_service_nor_the_server() {
    let pki = Pki::new();
    for (name, known) in [
        (&b"evil\r\nAuth-User: bob"[..], false),
        (b"evil ADDR=6.6.6.6", false),
        (b"honest", true),
    ] {
        let (dns, questions, _task) = deceiver(name).await;
        let server = LineServer::smtp(&[
            (
                "EHLO",
                Act::Say("250-server.test\r\n250 XCLIENT NAME ADDR\r\n"),
            ),
            ("XCLIENT", Act::Say("220 again\r\n")),
        ])
        .await;
        let (service, asked) = decider(server.address()).await;
        let listener = Listener::new("mx", "smtp", "none", "nobody")
            .with("auth = \"service\"\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]")
            .table("[mail.smtp]\nclient_names = true\nmx = { relay_domains = [\"gov.example\"] }");
        let config = format!(
            "[daemon]\nresolvers = [\"$dns\"]\n{listener}[mail_auth.service]\nhttp = {{ upstream = \"service\", allowed_backends = [\"127.0.0.0/8\"] }}\n\
             [upstream.service]\npeers = [\"$service\"]\n[upstream.nobody]\npeers = [\"127.0.0.1:9\"]\nmail = {{ client_info = \"xclient\" }}\n"
        );
        let alb = Alb::new()
            .place("pki", &pki)
            .place("dns", dns)
            .place("service", service.address())
            .start(&config)
            .await;
        let mut client = LineClient::connect(alb.address("mx")).await;
        let header = format!("PROXY TCP4 {CLIENT} 192.0.2.1 4711 25\r\n");
        client.send(header).await;
        client.until("220").await;
        client.ask("EHLO sender.test", "250 ").await;
        client.ask("MAIL FROM:<x@sender.test>", "250").await;
        client.ask("RCPT TO:<bob@gov.example>", "250").await;
        within("a question", questions.wait_for(0, "type 12")).await;
        let (request, heard) = (asked.text(), server.heard().text());
        let (host, told) = match known {
            true => ("Client-Host: honest\n", "NAME=honest"),
            false => ("Client-Host: [UNAVAILABLE]\n", "NAME=[UNAVAILABLE]"),
        };
        assert!(request.contains(host), "{request}");
        assert!(heard.contains(told), "{heard}");
        for text in [&request, &heard] {
            assert!(
                !text.contains("evil") && !text.contains("6.6.6.6"),
                "{text}"
            );
        }
    }
}

/// Sends everybody to this server.
async fn decider(server: SocketAddr) -> (Script, Lines) {
    Script::deciding(move |_| {
        format!(
            "Auth-Status: OK\r\nAuth-Server: {}\r\nAuth-Port: {}\r\n",
            server.ip(),
            server.port()
        )
    })
    .await
}
