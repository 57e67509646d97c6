//! Every way into a stream and out of it, plain, TLS and TLCP with certificates on both sides, carries a large transfer in
//! both directions at once, unchanged. `ALB_STREAM_BYTES` sets the size of each direction.

use std::sync::Arc;

use alb_compliance_tests::origin::Script;
use alb_compliance_tests::pattern::Pattern;
use alb_compliance_tests::pki::IDENTITIES;
use alb_compliance_tests::{Alb, Offer, Pki, Speak, stopwatch::within};
use alb_gm::tls::{
    Acceptor, AcceptorPolicy, Certified, ClientAuth, ClientAuthMode, Identity, Protocol, Trust,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

/// A kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    Plain,
    Tls,
    Tlcp,
}

const LEGS: [Leg; 3] = [Leg::Plain, Leg::Tls, Leg::Tlcp];

fn size() -> usize {
    let set = std::env::var("ALB_STREAM_BYTES").ok();
    set.map_or(32 << 20, |text| text.parse().expect("a number of bytes"))
}

/// Sends a payload and reads one, both whole.
async fn exchange(stream: impl AsyncRead + AsyncWrite, sends: u8, gets: u8) {
    let (mut read, mut write) = split(stream);
    let send = async {
        let mut pattern = Pattern::new(sends);
        let mut left = size();
        while left > 0 {
            let piece = pattern.next(left.min(100_000));
            write
                .write_all(piece)
                .await
                .expect("the stream takes bytes");
            left -= piece.len();
        }
        write.shutdown().await.expect("the stream can be ended");
    };
    let receive = async {
        let mut pattern = Pattern::new(gets);
        let mut buffer = vec![0; 64 * 1024];
        let mut total = 0;
        loop {
            let count = read
                .read(&mut buffer)
                .await
                .expect("the stream brings bytes");
            if count == 0 {
                break;
            }
            assert!(
                pattern.matches(&buffer[..count]),
                "changed near byte {total}"
            );
            total += count;
        }
        assert_eq!(total, size());
    };
    tokio::join!(send, receive);
}

fn certified(pki: &Pki, name: &str) -> Certified {
    let read = |kind: &str| pki.read(&format!("{name}.{kind}"));
    Certified::from_pem(&read("pem"), &read("key")).expect("a certificate of ours")
}

/// A server's side of a handshake in which the client must show a certificate.
fn acceptor(pki: &Pki) -> Acceptor {
    let half = |name| certified(pki, name);
    let pair = Identity::pair(half("server-sign"), half("server-enc")).expect("a pair");
    let ordinary = Identity::ordinary(half("server")).expect("an identity");
    let authorities = ["gm-ca.pem", "ca.pem"].map(|name| pki.path().join(name));
    Acceptor::new(&AcceptorPolicy {
        protocols: vec![Protocol::Tlcp, Protocol::Tls13],
        identities: vec![Arc::new(ordinary), Arc::new(pair)],
        client_auth: ClientAuth {
            mode: ClientAuthMode::Required,
            trust: Trust::load(&authorities, &[]).expect("authorities"),
            depth: 3,
        },
        ..AcceptorPolicy::default()
    })
    .expect("a policy that can be carried out")
}

async fn server(pki: &Pki, leg: Leg) -> Script {
    let acceptor = Arc::new(acceptor(pki));
    Script::start(move |stream| {
        let acceptor = Arc::clone(&acceptor);
        async move {
            if leg == Leg::Plain {
                return exchange(stream, 2, 1).await;
            }
            let stream = acceptor.accept(stream).await.expect("a handshake");
            assert!(
                stream.info().peer.verified().is_some(),
                "the gateway shows its certificate"
            );
            exchange(stream, 2, 1).await;
        }
    })
    .await
}

fn configuration(inward: Leg, outward: Leg) -> String {
    let tls_in = match inward {
        Leg::Plain => "",
        _ => {
            r#"tls = { identities = ["tls", "gm"], client_auth = { mode = "required", ca = ["$pki/gm-ca.pem", "$pki/ca.pem"] } }"#
        }
    };
    let tls_out = match outward {
        Leg::Plain => "",
        Leg::Tls => {
            r#"tls = { identity = "tls", ca = ["$pki/ca.pem"], server_name = "localhost" }"#
        }
        Leg::Tlcp => {
            r#"tls = { protocols = ["tlcp"], identity = "gm", ca = ["$pki/gm-ca.pem"], server_name = "localhost" }"#
        }
    };
    format!(
        "{IDENTITIES}\n[[stream]]\nlisten = [\"$in\"]\nupstream = \"out\"\n{tls_in}\n\
         [upstream.out]\npeers = [\"$server\"]\n{tls_out}\n"
    )
}

async fn carry(pki: &Pki, inward: Leg, outward: Leg) {
    let server = server(pki, outward).await;
    let alb = Alb::new()
        .place("pki", pki)
        .place("server", server.address())
        .start(&configuration(inward, outward))
        .await;
    let address = alb.address("in");
    let shaken = |offer: Offer| async move {
        let shaken = offer.connect(address, Speak::Http1).await;
        shaken.expect("a handshake")
    };
    let patience = tokio::time::Duration::from_secs(600);
    let transfer = async {
        match inward {
            Leg::Plain => {
                let stream = TcpStream::connect(address).await.expect("a connection");
                exchange(stream, 1, 2).await;
            }
            Leg::Tls => {
                exchange(
                    shaken(Offer::tls(pki).certificate(pki, "client")).await,
                    1,
                    2,
                )
                .await
            }
            Leg::Tlcp => exchange(shaken(Offer::tlcp(pki).pair(pki, "client")).await, 1, 2).await,
        }
    };
    let began = std::time::Instant::now();
    tokio::time::timeout(patience, transfer)
        .await
        .unwrap_or_else(|_| {
            panic!(
                "{inward:?} to {outward:?} took too long:\n{}",
                alb.log().text()
            )
        });
    println!(
        "{inward:?} to {outward:?}: {:.2} s",
        began.elapsed().as_secs_f64()
    );
}

#[tokio::test]
async fn every_way_in_and_out_carries_both_directions_at_once() {
    let pki = Pki::new();
    for inward in LEGS {
        for outward in LEGS {
            carry(&pki, inward, outward).await;
        }
    }
}

#[tokio::test]
async fn two_gateways_are_a_tunnel_for_plain_applications() {
    let pki = Pki::new();
    let server = server(&pki, Leg::Plain).await;
    let far = Alb::new()
        .place("pki", &pki)
        .place("server", server.address())
        .start(&configuration(Leg::Tlcp, Leg::Plain))
        .await;
    let near = Alb::new()
        .place("pki", &pki)
        .place("server", far.address("in"))
        .start(&configuration(Leg::Plain, Leg::Tlcp))
        .await;
    let stream = within("a connection", TcpStream::connect(near.address("in"))).await;
    exchange(stream.expect("a connection"), 1, 2).await;
}
