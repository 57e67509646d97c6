//! PROXY headers, as HAProxy and others send them: believed from trusted proxies, refused from anybody else.

use std::net::SocketAddr;

use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::haproxy::Haproxy;
use alb_compliance_tests::origin::Echo;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::tools::curl;
use alb_compliance_tests::{Alb, Offer, Pki, Speak};
use nix::sys::signal::Signal;

const CONFIG: &str = r#"
    [[http]]
    listen = ["$web"]
    access = "list"
    proxy_protocol = true
    trusted_proxies = ["127.0.0.1"]
    [[site]]
    [[site.route]]
    proxy = "app"
    [access.list]
    rules = ["deny 127.0.0.66"]
    [upstream.app]
    peers = ["$origin"]
"#;

fn local(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

async fn started(origin: &Echo) -> Alb {
    let setup = Alb::new().place("origin", origin.address());
    setup.start(CONFIG).await
}

#[tokio::test]
async fn haproxy_tells_the_address_of_the_client_in_every_form() {
    let origin = Echo::start("origin").await;
    let alb = started(&origin).await;
    for form in [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c,unique-id",
    ] {
        let haproxy = Haproxy::start(local("127.0.0.1:0"), "", alb.address("web"), form);
        let url = format!("http://{}/", haproxy.address());
        let seen = curl(&["--interface", "127.0.0.9", &url]).await;
        let seen: serde_json::Value = serde_json::from_str(&seen).expect("JSON");
        let told = |name: &str| {
            let fields = seen["headers"].as_array().expect("fields").iter();
            fields
                .clone()
                .find(|pair| pair[0] == name)
                .map(|pair| pair[1].clone())
        };
        assert_eq!(told("x-forwarded-for"), Some("127.0.0.9".into()), "{form}");
        assert_eq!(told("x-real-ip"), Some("127.0.0.9".into()), "{form}");

        let source = "127.0.0.66".parse().expect("an address");
        let mut denied = Raw::connect_from(source, haproxy.address()).await;
        denied.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(denied.read_to_end().await, b"", "{form}");
    }
    let line = alb
        .wait_for_log("connection denied by an access list")
        .await;
    assert!(
        line.contains("127.0.0.66") && line.contains("via=127.0.0.1"),
        "{line}"
    );
}

#[tokio::test]
async fn haproxy_tells_of_clients_over_ipv6_and_of_their_tls() {
    let origin = Echo::start("origin").await;
    let alb = started(&origin).await;
    let pki = Pki::new();
    let both = [pki.read("server.pem"), pki.read("server.key")].concat();
    std::fs::write(pki.path().join("both.pem"), both).expect("a file of ours");
    let bind = format!("ssl crt {pki}/both.pem");
    let haproxy = Haproxy::start(
        local("[::1]:0"),
        &bind,
        alb.address("web"),
        "send-proxy-v2-ssl-cn",
    );
    let url = format!("https://{}/", haproxy.address());
    let seen = curl(&["--insecure", &url]).await;
    assert!(seen.contains(r#"["x-forwarded-for","::1"]"#), "{seen}");
}

#[tokio::test]
async fn the_header_comes_before_the_handshake_of_tls_and_tlcp() {
    let pki = Pki::new();
    let config = format!(
        r#"
        {IDENTITIES}
        [log.access]
        file = "access.log"
        format = "json"
        [[http]]
        listen = ["$secure"]
        tls = {{ identities = ["gm", "tls"] }}
        proxy_protocol = true
        trusted_proxies = ["127.0.0.1"]
        [[site]]
        route = [{{ return = 204 }}]
        "#
    );
    let alb = Alb::new().place("pki", &pki).start(&config).await;
    let to = alb.address("secure");
    let haproxy = Haproxy::start(local("127.0.0.1:0"), "", to, "send-proxy-v2");
    for offer in [
        Offer::tlcp(&pki).server_name("gm.test"),
        Offer::tls(&pki).server_name("tls.test"),
    ] {
        let (mut client, _) = offer.client(haproxy.address(), Speak::Http1).await;
        assert_eq!(client.get("/").await.status, 204);
    }
    alb.signal(Signal::SIGTERM);
    alb.wait().await;
    let log = std::fs::read_to_string(alb.directory().join("access.log")).expect("an access log");
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(
        log.lines()
            .all(|line| line.contains(r#""via":"127.0.0.1:"#)),
        "{log}"
    );
}

#[tokio::test]
async fn a_header_from_somebody_else_is_refused_with_the_reason() {
    let origin = Echo::start("origin").await;
    let alb = started(&origin).await;
    let source = "127.0.0.2".parse().expect("an address");
    let mut liar = Raw::connect_from(source, alb.address("web")).await;
    liar.write("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .await;
    assert_eq!(liar.read_to_end().await, b"");
    let line = alb.wait_for_log("no acceptable PROXY header").await;
    assert!(
        line.contains("127.0.0.2") && line.contains("not in `trusted_proxies`"),
        "{line}"
    );
    assert_eq!(origin.requests(), 0);
}

#[tokio::test]
async fn a_missing_or_malformed_header_is_refused_with_the_reason() {
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "no PROXY header"),
        (
            b"PROXY TCP4 10.0.0.1\r\nGET / HTTP/1.1\r\n\r\n",
            "malformed",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01\0", "cut off"),
    ] {
        let origin = Echo::start("origin").await;
        let alb = started(&origin).await;
        let mut client = Raw::connect(alb.address("web")).await;
        client.write(bytes).await;
        assert_eq!(client.read_to_end().await, b"", "{reason}");
        let line = alb.wait_for_log("no acceptable PROXY header").await;
        assert!(line.contains(reason), "{line}");
        assert_eq!(origin.requests(), 0);
    }
}
