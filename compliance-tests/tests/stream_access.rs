//! Who may have a session of a stream, how many, and how fast; and who the client is behind other proxies.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::client::raw::Raw;
use alb_compliance_tests::haproxy::Haproxy;
use alb_compliance_tests::origin::{Nginx, Script};
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::tools::curl;
use alb_compliance_tests::{Alb, Offer, Pki, SessionLog, Speak, stopwatch::within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Says everything back.
async fn echo() -> Script {
    Script::start(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
    .await
}

/// Gives everything that a connection carries to the test.
async fn listener() -> (Script, mpsc::Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel(4);
    let script = Script::start(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut seen = Vec::new();
            let _ = stream.read_to_end(&mut seen).await;
            let _ = tell.send(seen).await;
        }
    })
    .await;
    (script, told)
}

/// One listener in front of `$peer`; `more` are keys of the stream, `rest` is what follows the upstream.
fn configuration(more: &str, rest: &str) -> String {
    format!(
        "[daemon]\nworkers = 2\n[[stream]]\nname = \"s\"\nlisten = [\"$in\"]\nupstream = \"u\"\n{more}\n\
         [upstream.u]\npeers = [\"$peer\"]\n{rest}"
    )
}

async fn started(peer: &Script, more: &str, rest: &str) -> Alb {
    let setup = Alb::new().place("peer", peer.address());
    setup.start(&configuration(more, rest)).await
}

/// Whether a session from this address comes to the peer, which is an echo.
async fn passes(alb: &Alb, from: &str) -> Option<TcpStream> {
    let mut raw = Raw::connect_from(ip(from), alb.address("in")).await;
    raw.write("?").await;
    let mut stream = raw.into_inner();
    let mut byte = [0];
    let read = within("an answer or the end", stream.read_exact(&mut byte)).await;
    read.ok().map(|_| stream)
}

#[tokio::test]
async fn an_access_list_decides_by_the_address_of_the_socket() {
    let echo = echo().await;
    let list = "[access.list]\nrules = [\"deny 127.0.0.66\"]\n";
    let alb = started(&echo, "access = \"list\"", list).await;
    assert!(passes(&alb, "127.0.0.1").await.is_some());
    assert!(passes(&alb, "127.0.0.66").await.is_none());
    assert_eq!(echo.connections(), 1);
    let line = alb.wait_for_log("denied by an access list").await;
    assert!(line.contains("127.0.0.66"), "{line}");
}

const BEHIND: &str = "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.1\"]\naccess = \"list\"";
const LIST: &str = "proxy_protocol = \"v1\"\n[access.list]\nrules = [\"deny 192.0.2.66\"]\n";

#[tokio::test]
async fn a_trusted_header_says_who_the_client_is_to_the_list_and_to_the_peer() {
    let (peer, mut told) = listener().await;
    let alb = started(&peer, BEHIND, LIST).await;
    let own = alb.address("in").port();
    // Version 2, PROXY, TCP over IPv4: 192.0.2.1:4660 to 198.51.100.1:443.
    let second =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x01\x12\x34\x01\xbb";
    let first = b"PROXY TCP4 192.0.2.1 198.51.100.1 4660 443\r\n";
    for header in [&first[..], &second[..]] {
        let mut raw = Raw::connect(alb.address("in")).await;
        raw.write([header, b"words"].concat()).await;
        raw.finish().await;
        let seen = within("the peer to hear", told.recv()).await;
        let seen = seen.expect("a connection");
        let line = format!("PROXY TCP4 192.0.2.1 127.0.0.1 4660 {own}\r\nwords");
        assert_eq!(String::from_utf8_lossy(&seen), line);
    }
    // The address that the header names decides, not that of the proxy.
    let mut raw = Raw::connect(alb.address("in")).await;
    raw.write("PROXY TCP4 192.0.2.66 198.51.100.1 1 2\r\nwords")
        .await;
    assert_eq!(raw.read_to_end().await, b"");
    assert_eq!(peer.connections(), 2);
    let line = alb.wait_for_log("denied by an access list").await;
    assert!(line.contains("192.0.2.66"), "{line}");
}

#[tokio::test]
async fn a_header_of_anybody_else_or_none_at_all_is_refused() {
    let (peer, _told) = listener().await;
    let alb = started(&peer, BEHIND, LIST).await;
    let mut raw = Raw::connect_from(ip("127.0.0.2"), alb.address("in")).await;
    raw.write("PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\nwords")
        .await;
    // Reset or closed; nothing came back.
    assert_eq!(raw.read_to_end().await, b"");
    let mut raw = Raw::connect(alb.address("in")).await;
    raw.write("words without a header\r\n").await;
    assert_eq!(raw.read_to_end().await, b"");
    let counted = alb.counters().await;
    assert!(counted.contains("proxy_headers_refused=2"), "{counted}");
    assert_eq!(peer.connections(), 0);
}

/// Behind HAProxy and in front of nginx: either of them reads what the other end of the header is.
#[tokio::test]
async fn the_address_of_a_client_comes_from_haproxy_through_to_nginx() {
    let inner = Reserved::v4();
    let nginx = Nginx::start(&format!(
        "listen {} proxy_protocol reuseport; location / {{ return 200 $proxy_protocol_addr; }}",
        inner.address()
    ))
    .await;
    for version in ["v1", "v2"] {
        let rest = LIST.replace("\"v1\"", &format!("\"{version}\""));
        let alb = Alb::new()
            .place("peer", inner.address())
            .start(&configuration(BEHIND, &rest))
            .await;
        for sends in ["send-proxy", "send-proxy-v2"] {
            let on: SocketAddr = "127.0.0.1:0".parse().expect("an address");
            let haproxy = Haproxy::start(on, "", alb.address("in"), sends);
            let url = format!("http://{}/", haproxy.address());
            let seen = curl(&["--interface", "127.0.0.9", &url]).await;
            assert_eq!(seen, "127.0.0.9", "{sends} {version}");
        }
    }
    drop(nginx);
}

/// The TLVs of a version 2 header, by type (the specification's section 2.2).
fn tlvs(mut bytes: &[u8]) -> BTreeMap<u8, Vec<u8>> {
    let mut all = BTreeMap::new();
    while let [kind, high, low, rest @ ..] = bytes {
        let (value, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        assert!(all.insert(*kind, value.to_vec()).is_none(), "twice: {kind}");
        bytes = rest;
    }
    assert!(bytes.is_empty(), "{bytes:02x?}");
    all
}

#[tokio::test]
async fn version_2_tells_the_facts_of_tls_byte_by_byte() {
    let pki = Pki::new();
    let (peer, mut told) = listener().await;
    let toml = configuration(
        "tls = { identities = [\"gm\"], client_auth = { mode = \"required\", ca = [\"$pki/gm-ca.pem\"] } }",
        "proxy_protocol = \"v2\"\n",
    );
    let alb = Alb::new()
        .place("pki", &pki)
        .place("peer", peer.address())
        .start(&format!("{toml}{IDENTITIES}"))
        .await;
    let offer = Offer::tlcp(&pki)
        .pair(&pki, "client")
        .server_name("gm.test");
    let to = alb.address("in");
    let mut stream = offer.connect(to, Speak::Http1).await.expect("a handshake");
    let from = stream.get_ref().local_addr().expect("an address");
    stream.write_all(b"words").await.expect("written");
    stream.shutdown().await.expect("ended");
    let seen = within("the peer to hear", told.recv()).await;
    let seen = seen.expect("a connection");
    let (head, rest) = seen.split_at(16);
    assert_eq!(&head[..14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11");
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    let (body, words) = rest.split_at(length);
    assert_eq!(words, b"words");
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    let addresses = [&[127, 0, 0, 1, 127, 0, 0, 1], &ports[..]].concat();
    assert_eq!(body[..12], addresses);
    let facts = tlvs(&body[12..]);
    assert_eq!(facts[&0x02], b"gm.test", "PP2_TYPE_AUTHORITY");
    let (flags, more) = facts[&0x20].split_at(5);
    // PP2_CLIENT_SSL, CERT_CONN and CERT_SESS; the certificate was verified.
    assert_eq!(flags, [7, 0, 0, 0, 0]);
    let more = tlvs(more);
    assert_eq!(more[&0x21], b"TLCPv1.1", "PP2_SUBTYPE_SSL_VERSION");
    assert_eq!(more[&0x22], b"alice", "PP2_SUBTYPE_SSL_CN");
    assert_eq!(more[&0x23], b"ECC_SM4_GCM_SM3", "PP2_SUBTYPE_SSL_CIPHER");
}

#[tokio::test]
async fn a_limit_counts_sessions_at_once_over_all_workers_and_those_that_ended_no_more() {
    let echo = echo().await;
    let log = SessionLog::new();
    let limit = "[limit.l]\nkey = \"client_ip\"\nconnections = 5\n[log.access]\nfile = \"$log\"\n";
    let alb = Alb::new()
        .place("peer", echo.address())
        .place("log", &log)
        .start(&configuration("limits = [\"l\"]", limit))
        .await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(passes(&alb, "127.0.0.1").await.expect("a session"));
    }
    for _ in 0..4 {
        assert!(passes(&alb, "127.0.0.1").await.is_none());
    }
    let other = passes(&alb, "127.0.0.2").await;
    assert!(other.is_some());
    let mut one = held.pop().expect("a session");
    one.shutdown().await.expect("ended");
    let mut rest = Vec::new();
    within("the end", one.read_to_end(&mut rest))
        .await
        .expect("the end");
    // Only now it counts no more.
    log.wait_for("why=\"closed\"").await;
    assert!(passes(&alb, "127.0.0.1").await.is_some());
    let counted = alb.counters().await;
    for part in ["limit_refused=4", "sessions=11"] {
        assert!(counted.contains(part), "no {part}: {counted}");
    }
}

#[tokio::test]
async fn a_rate_counts_sessions_and_a_burst_passes_at_once() {
    let echo = echo().await;
    let limit = "[limit.l]\nkey = \"client_ip\"\nrate = \"1/m\"\nburst = 3\nnodelay = true\n";
    let alb = started(&echo, "limits = [\"l\"]", limit).await;
    let mut passed = 0;
    for _ in 0..9 {
        passed += usize::from(passes(&alb, "127.0.0.1").await.is_some());
    }
    assert_eq!(passed, 4);
    assert_eq!(echo.connections(), 4);
}

#[tokio::test]
async fn each_direction_is_as_fast_as_the_bandwidth_allows() {
    const BYTES: usize = 600_000;
    let server = Script::start(|stream| async move {
        let (mut read, mut write) = stream.into_split();
        let sends = tokio::spawn(async move {
            let _ = write.write_all(&vec![7; BYTES]).await;
        });
        let mut seen = vec![0; BYTES];
        let _ = read.read_exact(&mut seen).await;
        let _ = sends.await;
        // The other direction is over when this one is closed.
    })
    .await;
    let limit = "[limit.l]\nbandwidth = \"500KB/s\"\nbandwidth_after = \"100KB\"\n";
    let alb = started(&server, "limits = [\"l\"]", limit).await;
    let stream = Raw::connect(alb.address("in")).await.into_inner();
    let (mut read, mut write) = stream.into_split();
    let begun = Instant::now();
    let up = tokio::spawn(async move {
        let _ = write.write_all(&vec![7; BYTES]).await;
        write
    });
    let mut seen = vec![0; BYTES];
    within("every byte", read.read_exact(&mut seen))
        .await
        .expect("every byte");
    let down = begun.elapsed().as_secs_f64();
    // The server closes when it has read everything.
    let _ = within("the end", read.read_to_end(&mut seen)).await;
    let both = begun.elapsed().as_secs_f64();
    drop(up);
    // 600 KB less 100 KB at 500 KB/s, both ways at the same time.
    for took in [down, both] {
        assert!((0.85..2.5).contains(&took), "{took} s");
    }
}
