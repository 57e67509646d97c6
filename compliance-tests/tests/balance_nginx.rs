//! The same peer as nginx for the same client: ten thousand addresses through both, over the same peers.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use alb_compliance_tests::address::Reserved;
use alb_compliance_tests::origin::Nginx;
use alb_compliance_tests::{Alb, Client, Speak, payload};
use http::Request;

const CLIENTS: u32 = 10_000;

/// Weight, and whether the peer is down.
const PEERS: [(u32, bool); 5] = [(3, false), (1, false), (2, true), (1, false), (2, false)];

/// Addresses from all over, one in eight of them IPv6.
fn client(number: u32) -> IpAddr {
    let spread = number.wrapping_mul(2_654_435_761);
    match number % 8 {
        7 => Ipv6Addr::from((u128::from(spread) << 90) | u128::from(number)).into(),
        _ => Ipv4Addr::from(spread | 0x0100_0000).into(),
    }
}

/// An nginx that balances over servers of its own, by address and by hash, as the client says.
async fn nginx(peers: &[Reserved]) -> Nginx {
    let mut servers = String::new();
    let mut origins = String::new();
    for (number, (peer, (weight, down))) in peers.iter().zip(PEERS).enumerate() {
        let (address, down) = (peer.address(), if down { "down" } else { "" });
        writeln!(servers, "server {address} weight={weight} {down};").expect("memory");
        writeln!(
            origins,
            "}} server {{ listen {address} reuseport; return 200 {number};"
        )
        .expect("memory");
    }
    // The directives begin within a `server` block and end in one: that of the last peer.
    let directives = format!(
        "set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;
         proxy_http_version 1.1; proxy_set_header Connection '';
         location /ip {{ proxy_pass http://by_ip; }}
         location /hash {{ proxy_pass http://by_hash; }}
         }}
         upstream by_ip {{ ip_hash; {servers} keepalive 16; }}
         upstream by_hash {{ hash $remote_addr consistent; {servers} keepalive 16;
         {origins}"
    );
    Nginx::start(&directives).await
}

fn configuration(peers: &[Reserved]) -> String {
    let mut list = String::new();
    for (peer, (weight, down)) in peers.iter().zip(PEERS) {
        let address = peer.address();
        writeln!(
            list,
            "{{ address = \"{address}\", weight = {weight}, down = {down} }},"
        )
        .expect("memory");
    }
    format!(
        r#"
        [daemon]
        workers = 2
        [[http]]
        listen = ["$front"]
        keepalive_requests = 1000000
        trusted_proxies = ["127.0.0.0/8"]
        [[site]]
        route = [{{ path = "/ip", proxy = "ip" }}, {{ path = "/hash", proxy = "hash" }}]
        [upstream.ip]
        balance = "ip_hash"
        peers = [{list}]
        [upstream.hash]
        balance = "hash"
        peers = [{list}]
        "#
    )
}

async fn answers(client: &mut Client, path: &str, address: IpAddr) -> String {
    let request = Request::get(path).header("x-forwarded-for", address.to_string());
    let answer = client.send(request, payload::empty()).await;
    assert_eq!(answer.status, 200, "{path} for {address}");
    answer.text()
}

#[tokio::test]
async fn ten_thousand_clients_reach_the_peers_that_nginx_sends_them_to() {
    let peers: Vec<_> = PEERS.iter().map(|_| Reserved::v4()).collect();
    let nginx = nginx(&peers).await;
    let alb = Alb::new().start(&configuration(&peers)).await;
    let mut theirs = Client::plain(nginx.address(), Speak::Http1).await;
    let mut ours = Client::plain(alb.address("front"), Speak::Http1).await;
    for path in ["/ip", "/hash"] {
        let mut counts = [0u32; PEERS.len()];
        for number in 0..CLIENTS {
            let address = client(number);
            let expected = answers(&mut theirs, path, address).await;
            let chosen = answers(&mut ours, path, address).await;
            assert_eq!(chosen, expected, "{path} for {address}");
            counts[chosen.parse::<usize>().expect("a number")] += 1;
        }
        // The test would prove little if all went to one peer.
        assert_eq!(counts[2], 0, "{path}: {counts:?}");
        assert!(
            counts.iter().filter(|n| **n > 500).count() == 4,
            "{path}: {counts:?}"
        );
    }
}
