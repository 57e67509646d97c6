//! Active checks against real servers: nginx (HTTP, mail), grpcio, another alb over TLCP, and servers that misbehave.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::origin::{Echo, Nginx, Script, Version, grpc};
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::process::Process;
use alb_compliance_tests::{Alb, Client, Pki, Speak};
use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Checks every tenth of a second; two failures or two good answers decide.
const OFTEN: &str = r#"interval = "100ms", rise = 2, fall = 2"#;

fn configuration(upstream: &str) -> String {
    format!(
        r#"
        [[http]]
        listen = ["$front"]
        [[site]]
        route = [{{ path = "/", proxy = "app" }}]
        [upstream.app]
        {upstream}
        "#
    )
}

async fn status(alb: &Alb) -> u16 {
    let mut client = Client::plain(alb.address("front"), Speak::Http1).await;
    client.get("/").await.status.as_u16()
}

/// An origin that answers with whatever status it is told, and counts what it is asked for.
async fn moody(status: &Arc<AtomicU16>) -> Script {
    let status = Arc::clone(status);
    Script::start(move |mut stream| {
        let status = Arc::clone(&status);
        async move {
            let mut request = [0; 4096];
            while stream.read(&mut request).await.is_ok_and(|n| n > 0) {
                let status = status.load(Ordering::Relaxed);
                let answer = format!("HTTP/1.1 {status} Told\r\nContent-Length: 0\r\n\r\n");
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_peer_is_taken_out_and_brought_back_and_a_reload_keeps_the_verdict() {
    let mood = Arc::new(AtomicU16::new(200));
    let origin = moody(&mood).await;
    let toml = configuration(&format!(
        r#"
        peers = ["$origin"]
        health = {{ kind = "http", path = "/healthz", expect = ["200-299"], {OFTEN} }}
        "#
    ));
    let alb = Alb::new()
        .place("origin", origin.address())
        .start(&toml)
        .await;
    assert_eq!(status(&alb).await, 200);
    mood.store(500, Ordering::Relaxed);
    let line = alb.wait_for_log("the peer is not used").await;
    for part in [
        "health check failed 2 times",
        "status 200-299",
        "status 500",
        "app",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(status(&alb).await, 503);
    alb.reload().await.expect("a good configuration");
    assert_eq!(status(&alb).await, 503);
    mood.store(204, Ordering::Relaxed);
    alb.wait_for_log("health check passed 2 times: the peer is used again")
        .await;
    assert_eq!(status(&alb).await, 204);
}

#[tokio::test]
async fn an_nginx_that_stops_answering_is_left_alone() {
    let nginx = Nginx::start("location = /healthz { return 204; } return 200;").await;
    let other = Echo::start("other").await;
    let alb = Alb::new()
        .place("nginx", nginx.address())
        .place("other", other.address())
        .start(&configuration(&format!(
            r#"
            peers = ["$nginx", "$other"]
            health = {{ kind = "http", path = "/healthz", timeout = "200ms", {OFTEN} }}
            "#
        )))
        .await;
    nginx.process().signal(Signal::SIGSTOP);
    let line = alb.wait_for_log("the peer is not used").await;
    assert!(line.contains("no answer within 200ms"), "{line}");
    let before = other.requests();
    for _ in 0..4 {
        assert_eq!(status(&alb).await, 200);
    }
    assert!(other.requests() >= before + 4);
    nginx.process().signal(Signal::SIGCONT);
    alb.wait_for_log("the peer is used again").await;
}

#[tokio::test]
async fn tlcp_and_http_over_tlcp_reach_another_alb_and_see_it_go() {
    let pki = Pki::new();
    let back = Alb::new()
        .place("pki", &pki)
        .start(&format!(
            r#"
            {IDENTITIES}
            [[http]]
            listen = ["$back"]
            tls = {{ identities = ["gm"], protocols = ["tlcp"] }}
            [[site]]
            route = [{{ path = "/", return = {{ status = 200, body = "well" }} }}]
            "#
        ))
        .await;
    let mut fronts = Vec::new();
    for kind in ["tlcp", "http", "https"] {
        let alb = Alb::new()
            .place("pki", &pki)
            .place("back", back.address("back"))
            .start(&configuration(&format!(
                r#"
                peers = ["$back"]
                tls = {{ protocols = ["tlcp"], ca = ["$pki/gm-ca.pem"], server_name = "gm.test" }}
                health = {{ kind = "{kind}", {OFTEN}, timeout = "5s" }}
                "#
            )))
            .await;
        assert_eq!(status(&alb).await, 200, "{kind}");
        fronts.push(alb);
    }
    // The wrong protocol under the right name is a failure.
    let alb = Alb::new()
        .place("pki", &pki)
        .place("back", back.address("back"))
        .start(&configuration(&format!(
            r#"
            peers = ["$back"]
            tls = {{ ca = ["$pki/ca.pem"], server_name = "gm.test" }}
            health = {{ kind = "tls", {OFTEN}, timeout = "5s" }}
            "#
        )))
        .await;
    let line = alb.wait_for_log("the peer is not used").await;
    assert!(line.contains("handshake"), "{line}");
    for front in &fronts {
        assert!(front.log().find(0, "the peer is not used").is_none());
    }
    drop(back);
    for front in &fronts {
        front.wait_for_log("the peer is not used").await;
    }
}

const HEALTH_SERVICE: &str = r#"
import sys, threading
from concurrent import futures
import grpc

status = b"\x08\x01"

def check(request, context):
    return status

class Handler(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(check)

server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Handler()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"listening on {port}", flush=True)
import signal
def flip(number, frame):
    global status
    status = b"\x08\x02" if status == b"\x08\x01" else b"\x08\x01"
    print("flipped", flush=True)
signal.signal(signal.SIGUSR1, flip)
while True:
    signal.pause()
"#;

#[tokio::test]
async fn the_health_service_of_grpcio_is_believed() {
    let server = Process::start("health", &mut grpc::python(HEALTH_SERVICE));
    let line = server.wait_for("listening on ").await;
    let port: u16 = line
        .trim_start_matches("listening on ")
        .parse()
        .expect("a port");
    let alb = Alb::new()
        .place("origin", format!("127.0.0.1:{port}"))
        .start(&configuration(&format!(
            r#"
            peers = ["$origin"]
            protocol = "h2"
            health = {{ kind = "grpc", service = "test.Echo", {OFTEN} }}
            "#
        )))
        .await;
    server.signal(Signal::SIGUSR1);
    server.wait_for("flipped").await;
    let line = alb.wait_for_log("the peer is not used").await;
    assert!(line.contains("NOT_SERVING"), "{line}");
    server.signal(Signal::SIGUSR1);
    alb.wait_for_log("the peer is used again").await;
}

#[tokio::test]
async fn http2_peers_are_asked_over_http2_and_a_server_without_the_health_service_fails() {
    let origin = Echo::start_on("h2", Version::Http2, ([127, 0, 0, 1], 0).into()).await;
    let alb = Alb::new()
        .place("origin", origin.address())
        .start(&configuration(&format!(
            r#"
            peers = ["$origin"]
            protocol = "h2"
            health = {{ kind = "http", path = "/status/204", expect = ["204"], {OFTEN} }}
            "#
        )))
        .await;
    while origin.requests() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&alb).await, 200);
    let alb = Alb::new()
        .place("origin", origin.address())
        .start(&configuration(&format!(
            r#"
            peers = ["$origin"]
            protocol = "h2"
            health = {{ kind = "grpc", {OFTEN} }}
            "#
        )))
        .await;
    let line = alb.wait_for_log("the peer is not used").await;
    assert!(line.contains("not an answer of grpc.health.v1"), "{line}");
}

/// nginx as a mail server: its greetings are those of the real protocols.
async fn mail_servers(ports: &[Reserved]) -> (tempfile::TempDir, Process) {
    let directory = tempfile::tempdir().expect("a directory");
    let servers: String = ["smtp", "imap", "pop3"]
        .iter()
        .zip(ports)
        .map(|(protocol, port)| {
            format!(
                "server {{ listen {}; protocol {protocol}; }}",
                port.address()
            )
        })
        .collect();
    let text = format!(
        "load_module /usr/lib/nginx/modules/ngx_mail_module.so;
         daemon off; master_process off; pid nginx.pid; error_log stderr notice;
         events {{ worker_connections 64; }}
         mail {{ auth_http 127.0.0.1:1/; server_name mail.test; {servers} }}"
    );
    std::fs::write(directory.path().join("nginx.conf"), text).expect("a file of ours");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(directory.path());
    command.args(["-e", "stderr", "-c", "nginx.conf"]);
    let process = Process::start("nginx", &mut command);
    process.wait_for("event method").await;
    (directory, process)
}

#[tokio::test]
async fn greetings_of_mail_servers_are_known_and_those_of_others_are_not() {
    let ports = [Reserved::v4(), Reserved::v4(), Reserved::v4()];
    let (_directory, _mail) = mail_servers(&ports).await;
    for (kind, own, other) in [("smtp", 0, 1), ("imap", 1, 2), ("pop3", 2, 0)] {
        let alb = Alb::new()
            .place("right", ports[own].address())
            .place("wrong", ports[other].address())
            .start(&configuration(&format!(
                r#"
                peers = ["$right", "$wrong"]
                health = {{ kind = "{kind}", {OFTEN} }}
                "#
            )))
            .await;
        let line = alb.wait_for_log("the peer is not used").await;
        assert!(
            line.contains(&ports[other].address().to_string()),
            "{kind}: {line}"
        );
        let right = format!("peer={}", ports[own].address());
        assert!(
            alb.log().find(0, &right).is_none(),
            "{kind}:\n{}",
            alb.log().text()
        );
    }
}

#[tokio::test]
async fn bytes_are_sent_and_expected_at_another_port_and_a_proxy_header_goes_first() {
    let server = Script::start(|mut stream| async move {
        let mut received = Vec::new();
        while !received.ends_with(b"PING\r\n") {
            if stream.read_buf(&mut received).await.map_or(0, |n| n) == 0 {
                return;
            }
        }
        // Not `UNKNOWN`, which Postfix does not take.
        if received.starts_with(b"PROXY TCP4 127.0.0.1 127.0.0.1 ") {
            let _ = stream.write_all(b"+PONG\r\n").await;
        }
    })
    .await;
    let origin = Echo::start("app").await;
    let port = server.address().port();
    let upstream = |expect: &str| {
        format!(
            r#"
            [[stream]]
            listen = ["$front"]
            upstream = "app"
            [upstream.app]
            peers = ["$origin"]
            proxy_protocol = "v1"
            health = {{ kind = "tcp", port = {port}, send = "PING\r\n", expect = ["{expect}"], {OFTEN} }}
            "#
        )
    };
    let alb = Alb::new()
        .place("origin", origin.address())
        .start(&upstream("PING?"))
        .await;
    let line = alb.wait_for_log("the peer is not used").await;
    assert!(line.contains("+PONG"), "{line}");
    alb.rewrite(&upstream("PONG"));
    alb.reload().await.expect("a good configuration");
    alb.wait_for_log("the peer is used again").await;
}
