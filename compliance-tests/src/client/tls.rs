//! TLCP and TLS clients: the gateway's own connector, in the client's place.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use alb_gm::tls::{
    Certified, Connector, ConnectorPolicy, HandshakeError, Identity, Protocol, TlsInfo, TlsStream,
    Trust,
};
use tokio::net::TcpStream;

use crate::client::{Client, Speak};
use crate::pki::Pki;
use crate::stopwatch::within;

/// A client to be described: what it offers, whom it trusts, who it is.
#[derive(Clone)]
pub struct Offer {
    policy: ConnectorPolicy,
    server_name: String,
}

impl Offer {
    /// TLCP, trusting `gm-ca`, without a certificate.
    pub fn tlcp(pki: &Pki) -> Self {
        Self::new(pki, &[Protocol::Tlcp])
    }

    /// TLS 1.2 and 1.3, trusting `ca` and `gm-ca`, without a certificate.
    pub fn tls(pki: &Pki) -> Self {
        Self::new(pki, &[Protocol::Tls12, Protocol::Tls13])
    }

    /// These protocols, trusting `ca` and `gm-ca`, without a certificate.
    pub fn new(pki: &Pki, protocols: &[Protocol]) -> Self {
        let authorities: Vec<PathBuf> = ["gm-ca.pem", "ca.pem"]
            .map(|name| pki.path().join(name))
            .into();
        let policy = ConnectorPolicy {
            protocols: protocols.to_vec(),
            trust: Some(Trust::load(&authorities, &[]).expect("authorities of ours")),
            ..ConnectorPolicy::default()
        };
        Self {
            policy,
            server_name: "localhost".to_owned(),
        }
    }

    /// Only this suite.
    pub fn suite(mut self, name: &str) -> Self {
        self.policy.suites = vec![name.to_owned()];
        self
    }

    /// Only these key exchange groups.
    pub fn groups(mut self, names: &[&str]) -> Self {
        self.policy.groups = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Shows the pair `NAME-sign` and `NAME-enc`.
    pub fn pair(mut self, pki: &Pki, name: &str) -> Self {
        let half = |which: &str| certified(pki, &format!("{name}-{which}"));
        let identity = Identity::pair(half("sign"), half("enc")).expect("a proper pair");
        self.policy.identity = Some(Arc::new(identity));
        self
    }

    /// Shows the certificate `NAME`.
    pub fn certificate(mut self, pki: &Pki, name: &str) -> Self {
        let identity = Identity::ordinary(certified(pki, name)).expect("a proper certificate");
        self.policy.identity = Some(Arc::new(identity));
        self
    }

    /// Asks for this server instead of `localhost`.
    pub fn server_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.server_name);
        self
    }

    /// Prepares a connector that offers this application protocol.
    pub fn connector(&self, speak: Speak) -> Connector {
        let alpn = vec![speak.alpn().to_owned()];
        Connector::new(&ConnectorPolicy {
            alpn,
            ..self.policy.clone()
        })
        .expect("a policy that can be carried out")
    }

    /// Shakes hands on a connection, without an application protocol.
    pub async fn over(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let connector = Connector::new(&self.policy).expect("a policy that can be carried out");
        connector.connect(stream, &self.server_name).await
    }

    /// Connects and shakes hands.
    pub async fn connect(
        &self,
        address: SocketAddr,
        speak: Speak,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let stream = within("a connection", TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        let connector = self.connector(speak);
        within("a handshake", connector.connect(stream, &self.server_name)).await
    }

    /// Connects, shakes hands and speaks HTTP; fails the test when that is refused.
    pub async fn client(&self, address: SocketAddr, speak: Speak) -> (Client, TlsInfo) {
        let stream = self.connect(address, speak).await;
        let stream =
            stream.unwrap_or_else(|error| panic!("no handshake with {address}: {error:?}"));
        let info = stream.info().clone();
        assert_eq!(
            info.alpn.as_deref(),
            Some(speak.alpn()),
            "the agreed application protocol"
        );
        let authority = format!("{}:{}", self.server_name, address.port());
        (
            Client::over(stream, speak, &authority)
                .await
                .expect("a fresh connection takes HTTP"),
            info,
        )
    }
}

fn certified(pki: &Pki, name: &str) -> Certified {
    Certified::from_pem(
        &pki.read(&format!("{name}.pem")),
        &pki.read(&format!("{name}.key")),
    )
    .unwrap_or_else(|error| panic!("{name}: {error:?}"))
}
