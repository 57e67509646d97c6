//! Streams that are routed by the name in a hello without being decrypted, and peers that are told who the client is.

use std::sync::Arc;

use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::origin::Script;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Offer, Pki, Speak, stopwatch::within};
use alb_gm::tls::{Acceptor, AcceptorPolicy, Certified, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// A server of TLS and TLCP that says its name.
async fn named(pki: &Pki, name: &'static str) -> Script {
    let half = |name: &str| {
        let read = |kind: &str| pki.read(&format!("{name}.{kind}"));
        Certified::from_pem(&read("pem"), &read("key")).expect("a certificate of ours")
    };
    let pair = Identity::pair(half("server-sign"), half("server-enc")).expect("a pair");
    let ordinary = Identity::ordinary(half("server")).expect("an identity");
    let acceptor = Acceptor::new(&AcceptorPolicy {
        identities: vec![Arc::new(ordinary), Arc::new(pair)],
        ..AcceptorPolicy::default()
    });
    let acceptor = Arc::new(acceptor.expect("a policy that can be carried out"));
    Script::start(move |stream| {
        let acceptor = Arc::clone(&acceptor);
        async move {
            let mut stream = acceptor.accept(stream).await.expect("a handshake");
            stream.write_all(name.as_bytes()).await.expect("written");
            let _ = stream.shutdown().await;
        }
    })
    .await
}

/// A server that says its name to anybody.
async fn clear(name: &'static str) -> Script {
    Script::start(move |mut stream| async move {
        let mut byte = [0; 1];
        let _ = stream.read_exact(&mut byte).await;
        let _ = stream.write_all(name.as_bytes()).await;
    })
    .await
}

async fn greeting(offer: Offer, to: std::net::SocketAddr) -> String {
    let mut stream = offer.connect(to, Speak::Http1).await.expect("a handshake");
    let mut text = String::new();
    let _ = within("a name", stream.read_to_string(&mut text)).await;
    text
}

#[tokio::test]
async fn tls_and_tlcp_are_routed_by_name_and_pass_untouched() {
    let pki = Pki::new();
    let (exact, below, other) = (
        named(&pki, "exact").await,
        named(&pki, "below").await,
        clear("other").await,
    );
    let alb = Alb::new()
        .place("exact", exact.address())
        .place("below", below.address())
        .place("other", other.address())
        .start(
            r#"
            [[stream]]
            listen = ["$in"]
            upstream = "other"
            hello_timeout = "1s"
            [stream.sni]
            "gm.test" = "exact"
            "tls.test" = "exact"
            "*.test" = "below"
            [upstream.exact]
            peers = ["$exact"]
            [upstream.below]
            peers = ["$below"]
            [upstream.other]
            peers = ["$other"]
            "#,
        )
        .await;
    let to = alb.address("in");
    // The certificates are the servers' own: nobody stands between.
    let exact = [
        Offer::tlcp(&pki).server_name("gm.test"),
        Offer::tls(&pki).server_name("tls.test"),
    ];
    for offer in exact {
        assert_eq!(greeting(offer, to).await, "exact");
    }
    // No certificate has this name; that the client says so shows that it came to a server.
    for offer in [Offer::tlcp(&pki), Offer::tls(&pki)] {
        let refused = offer
            .server_name("x.y.test")
            .connect(to, Speak::Http1)
            .await;
        refused.expect_err("a certificate of another name");
    }
    assert_eq!(below.connections(), 2);
    let mut plain = Raw::connect(to).await;
    plain.write("no hello at all").await;
    assert_eq!(plain.read_to_end().await, b"other");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_closed_in_time() {
    let alb = Alb::new()
        .start(
            "[[stream]]\nlisten = [\"$in\"]\nhello_timeout = \"300ms\"\nsni = { \"a.test\" = \"a\" }\n\
             [upstream.a]\npeers = [\"127.0.0.1:9\"]\n",
        )
        .await;
    let mut raw = Raw::connect(alb.address("in")).await;
    // The first bytes of a record, and no more.
    raw.write([22, 3, 1, 1, 0]).await;
    assert_eq!(raw.read_to_end().await, b"");
}

/// Gives what a connection begins with, up to `bytes`, to the test.
async fn listener(bytes: usize) -> (Script, mpsc::Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel(4);
    let script = Script::start(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut seen = vec![0; bytes];
            let count = stream.read(&mut seen).await.unwrap_or(0);
            seen.truncate(count);
            let _ = tell.send(seen).await;
        }
    })
    .await;
    (script, told)
}

#[tokio::test]
async fn version_1_tells_the_addresses_in_one_piece() {
    let (server, mut told) = listener(4096).await;
    let alb = Alb::new()
        .place("server", server.address())
        .start(
            "[[stream]]\nlisten = [\"$in\"]\nupstream = \"s\"\n[upstream.s]\npeers = [\"$server\"]\n\
             proxy_protocol = \"v1\"\n",
        )
        .await;
    let stream = Raw::connect(alb.address("in")).await.into_inner();
    let (from, to) = (stream.local_addr().expect("ours"), alb.address("in"));
    let seen = within("a header", told.recv()).await.expect("a connection");
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
        from.port(),
        to.port()
    );
    assert_eq!(String::from_utf8_lossy(&seen), line);
}

#[tokio::test]
async fn version_2_tells_the_facts_of_tlcp_before_the_handshake_with_the_peer() {
    let pki = Pki::new();
    let (server, mut told) = listener(4096).await;
    let alb = Alb::new()
        .place("pki", &pki)
        .place("server", server.address())
        .start(&format!(
            r#"{IDENTITIES}
            [[stream]]
            listen = ["$in"]
            upstream = "s"
            tls = {{ identities = ["gm"], client_auth = {{ mode = "required", ca = ["$pki/gm-ca.pem"] }} }}
            [upstream.s]
            peers = ["$server"]
            proxy_protocol = "v2"
            tls = {{ protocols = ["tlcp"], ca = ["$pki/gm-ca.pem"], server_name = "localhost" }}
            "#
        ))
        .await;
    let offer = Offer::tlcp(&pki)
        .pair(&pki, "client")
        .server_name("gm.test");
    let _client = offer
        .connect(alb.address("in"), Speak::Http1)
        .await
        .expect("a handshake");
    let seen = within("a header", told.recv()).await.expect("a connection");
    assert!(
        seen.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11"),
        "{seen:02x?}"
    );
    let has = |text: &str| {
        seen.windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    for fact in ["gm.test", "TLCPv1.1", "ECC_SM4_GCM_SM3", "alice"] {
        assert!(has(fact), "no {fact} in {seen:02x?}");
    }
}

#[tokio::test]
async fn connections_come_from_the_addresses_given_in_turn() {
    let (tell, mut told) = mpsc::channel(4);
    let server = Script::start(move |stream| {
        let tell = tell.clone();
        async move {
            let from = stream.peer_addr().expect("a peer").ip();
            let _ = tell.send(from.to_string()).await;
        }
    })
    .await;
    let alb = Alb::new()
        .place("server", server.address())
        .start(
            "[daemon]\nworkers = 1\n[[stream]]\nlisten = [\"$in\"]\nupstream = \"s\"\n[upstream.s]\n\
             peers = [\"$server\"]\nbind = [\"127.0.0.7\", \"::1\", \"127.0.0.8\"]\n",
        )
        .await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let _client = Raw::connect(alb.address("in")).await;
        seen.push(
            within("a connection", told.recv())
                .await
                .expect("an address"),
        );
    }
    seen.sort();
    assert_eq!(seen, ["127.0.0.7", "127.0.0.7", "127.0.0.8", "127.0.0.8"]);
}
