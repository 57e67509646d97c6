//! A test authority, identities under it, and handshakes over an in-memory pipe.
#![allow(dead_code)] // every test binary uses its part

use std::sync::Arc;

use alb_certs::Algorithm;
use alb_certs::issue::{Ca, Issued, Leaf, Pair};
use alb_gm::tls::*;
use openssl::x509::{X509, X509Crl};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

/// Name of the server in most tests.
pub const NAME: &str = "gateway.test";

/// What a handshake ends with on one side.
pub type Outcome = Result<TlsStream<DuplexStream>, HandshakeError>;

/// An SM2 authority.
pub fn authority() -> Ca {
    Ca::root(Algorithm::Sm2, "Test Root").unwrap()
}

/// The certificate of an authority as somebody to believe.
pub fn trust(authorities: &[&Ca]) -> Trust {
    revoking(authorities, &[])
}

/// The same with revocation lists.
pub fn revoking(authorities: &[&Ca], lists: &[&alb_certs::issue::Crl]) -> Trust {
    let x509 = |ca: &&Ca| ca.certificate().to_x509().unwrap();
    let lists = lists
        .iter()
        .map(|l| X509Crl::from_pem(l.to_pem().as_bytes()).unwrap());
    Trust::new(
        authorities.iter().map(x509).collect::<Vec<X509>>(),
        lists.collect(),
    )
}

/// One half as the gateway loads it.
pub fn certified(issued: &Issued) -> Certified {
    let key = issued.key.to_pem().unwrap();
    Certified::from_pem(issued.chain_pem().as_bytes(), key.as_bytes()).unwrap()
}

/// A pair as the gateway loads it.
pub fn paired(pair: &Pair) -> Arc<Identity> {
    Arc::new(Identity::pair(certified(&pair.sign), certified(&pair.encrypt)).unwrap())
}

/// An SM2 pair for a server.
pub fn server_pair(ca: &Ca, name: &str) -> Arc<Identity> {
    paired(&ca.issue_pair(&Leaf::server(name)).unwrap())
}

/// An SM2 pair for a client.
pub fn client_pair(ca: &Ca, name: &str) -> Arc<Identity> {
    paired(&ca.issue_pair(&Leaf::client(name)).unwrap())
}

/// An ordinary certificate for a server.
pub fn server_ordinary(ca: &Ca, algorithm: Algorithm, name: &str) -> Arc<Identity> {
    ordinary(&ca.issue(algorithm, &Leaf::server(name)).unwrap())
}

/// An ordinary certificate as the gateway loads it.
pub fn ordinary(issued: &Issued) -> Arc<Identity> {
    Arc::new(Identity::ordinary(certified(issued)).unwrap())
}

/// Client certificates required.
pub fn mutual(ca: &Ca) -> ClientAuth {
    ClientAuth {
        mode: ClientAuthMode::Required,
        trust: trust(&[ca]),
        depth: 3,
    }
}

/// A listener with identities and nothing special.
pub fn listener(identities: &[Arc<Identity>]) -> AcceptorPolicy {
    AcceptorPolicy {
        identities: identities.to_vec(),
        ..AcceptorPolicy::default()
    }
}

/// A client that believes an authority.
pub fn caller(ca: &Ca, protocol: Protocol) -> ConnectorPolicy {
    ConnectorPolicy {
        protocols: vec![protocol],
        trust: Some(trust(&[ca])),
        ..ConnectorPolicy::default()
    }
}

/// Shakes hands between a listener and a client; gives what each side sees.
pub async fn shake(acceptor: &Acceptor, connector: &Connector, name: &str) -> (Outcome, Outcome) {
    let (near, far) = duplex(64 * 1024);
    tokio::join!(acceptor.accept(far), connector.connect(near, name))
}

/// Shakes hands between two policies.
pub async fn meet(server: &AcceptorPolicy, client: &ConnectorPolicy) -> (Outcome, Outcome) {
    shake(
        &Acceptor::new(server).unwrap(),
        &Connector::new(client).unwrap(),
        NAME,
    )
    .await
}

/// Sends bytes both ways, to the end.
pub async fn talk(server: &mut TlsStream<DuplexStream>, client: &mut TlsStream<DuplexStream>) {
    let question: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
    let mut asked = Vec::new();
    let mut answer = Vec::new();
    let ask = async {
        client.write_all(&question).await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_end(&mut answer).await.unwrap();
    };
    let reply = async {
        server.read_to_end(&mut asked).await.unwrap();
        server.write_all(b"understood").await.unwrap();
        server.shutdown().await.unwrap();
    };
    tokio::join!(ask, reply);
    assert_eq!(asked, question);
    assert_eq!(answer, b"understood");
}

/// A TLS 1.2 hello as a browser that also speaks TLCP sends it first (360), with these suites.
pub fn tls12_hello(suites: &[u16]) -> Vec<u8> {
    let prefixed = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
    let extension = |kind: u16, data: &[u8]| [kind.to_be_bytes().to_vec(), prefixed(data)].concat();
    let suites: Vec<u8> = suites.iter().flat_map(|s| s.to_be_bytes()).collect();
    let groups = extension(10, &prefixed(&[0, 29, 0, 23]));
    let algorithms = extension(13, &prefixed(&[4, 3]));
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &prefixed(&suites),
        &[1, 0],
        &prefixed(&[groups, algorithms].concat()),
    ]
    .concat();
    let message = [&[1, 0][..], &prefixed(&body)].concat();
    [&[22, 3, 1][..], &prefixed(&message)].concat()
}
