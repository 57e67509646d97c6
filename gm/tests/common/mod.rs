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

/// Big-endian length in front.
fn prefixed<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[4 - N..], bytes].concat()
}

/// A handshake message in a record.
fn record(version: [u8; 2], kind: u8, body: &[u8]) -> Vec<u8> {
    let message = [&[kind][..], &prefixed::<3>(body)].concat();
    [&[22][..], &version, &prefixed::<2>(&message)].concat()
}

/// A hello with these suites.
fn hello(version: [u8; 2], suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let suites: Vec<u8> = suites.iter().flat_map(|s| s.to_be_bytes()).collect();
    let body = [
        &version[..],
        &[7; 32],
        &[0],
        &prefixed::<2>(&suites),
        &[1, 0],
        extensions,
    ]
    .concat();
    record(version, 1, &body)
}

/// A TLS 1.2 hello as a browser that also speaks TLCP sends it first (360), with these suites.
pub fn tls12_hello(suites: &[u16]) -> Vec<u8> {
    let extension =
        |kind: u16, data: &[u8]| [kind.to_be_bytes().to_vec(), prefixed::<2>(data)].concat();
    let groups = extension(10, &prefixed::<2>(&[0, 29, 0, 23]));
    let algorithms = extension(13, &prefixed::<2>(&[4, 3]));
    hello(
        [3, 3],
        suites,
        &prefixed::<2>(&[groups, algorithms].concat()),
    )
}

/// The first two messages of a TLCP client that shows these certificates, which no library would send in this order.
pub fn tlcp_client_showing(certificates: &[&Issued]) -> Vec<u8> {
    let list: Vec<u8> = certificates
        .iter()
        .flat_map(|c| prefixed::<3>(c.certificate.der()))
        .collect();
    [
        hello([1, 1], &[0xE053], &[]),
        record([1, 1], 11, &prefixed::<3>(&list)),
    ]
    .concat()
}

/// Says `words` to a listener and hangs up; the listener's explanation and its answer.
pub async fn say(policy: &AcceptorPolicy, words: &[u8]) -> (HandshakeError, Vec<u8>) {
    let acceptor = Acceptor::new(policy).unwrap();
    let (mut near, far) = duplex(64 * 1024);
    let client = async {
        near.write_all(words).await.unwrap();
        near.shutdown().await.unwrap();
        let mut answer = Vec::new();
        near.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (outcome, answer) = tokio::join!(acceptor.accept(far), client);
    (outcome.unwrap_err(), answer)
}

/// Shakes hands with exactly one suite on the client's side, and exchanges data.
pub async fn with_suite(name: &str, mutual_auth: bool) {
    let suite = suites::find(name).unwrap();
    let ca = authority();
    let mut server = listener(&[
        server_pair(&ca, NAME),
        server_ordinary(&ca, Algorithm::P256, NAME),
        server_ordinary(&ca, Algorithm::Rsa2048, NAME),
    ]);
    let mut client = caller(&ca, suite.protocol);
    client.suites = vec![name.to_owned()];
    if mutual_auth {
        server.client_auth = mutual(&ca);
        client.identity = Some(client_pair(&ca, "alice"));
    }
    let (server, client) = meet(&server, &client).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    for (info, peer) in [(server.info(), mutual_auth), (client.info(), true)] {
        assert_eq!(info.suite, name);
        assert_eq!(info.protocol, suite.protocol);
        assert_eq!(info.peer.shown().is_some(), peer);
        assert_eq!(info.peer.verified().is_some(), peer);
        let encrypt = info.peer.verified().is_some_and(|p| p.encrypt.is_some());
        assert_eq!(encrypt, peer && suite.protocol == Protocol::Tlcp);
    }
    assert_eq!(server.info().sni.as_deref(), Some(NAME));
    talk(&mut server, &mut client).await;
}
