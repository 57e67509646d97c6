//! TLCP (GB/T 38636-2020) and TLS on one port: an [`Acceptor`] for listeners, a [`Connector`] for upstreams.
//!
//! Owns everything that touches a handshake: identities, policies, the choice between TLCP and TLS by the first
//! record, the encrypted stream and the words for a failure. It opens no sockets, reads no configuration file and logs
//! nothing; callers hand in a connected stream and get a [`TlsStream`] or a [`HandshakeError`].

mod acceptor;
mod certificate;
pub mod client_hello;
mod connector;
mod context;
mod diagnose;
mod directory;
mod error;
mod ffi;
mod first_record;
pub mod groups;
mod handshake;
mod identity;
mod info;
mod io;
mod pem;
mod pin;
mod policy;
mod protocol;
mod refusal;
mod sessions;
mod stream;
pub mod suites;
mod time;
mod trust;
mod verify;

pub use acceptor::Acceptor;
pub use certificate::{Certificate, KeyKind};
pub use client_hello::ClientHello;
pub use connector::Connector;
pub use error::{ClientHelloFacts, HandshakeError, Reason};
pub use identity::{Certified, Identity, IdentityError, Warning};
pub use info::{Peer, PeerCertificates, Rejection, TlsInfo};
pub use pin::{Pin, PinDigest};
pub use policy::{
    AcceptorPolicy, ClientAuth, ClientAuthMode, ConnectorPolicy, MAX_SESSION_LIFETIME, PolicyError,
};
pub use protocol::Protocol;
pub use stream::TlsStream;
pub use time::rfc3339;
pub use trust::Trust;
