//! What a peer is told before anything else: a PROXY header that says who the client is.

use alb_conf::ProxyVersion;

use super::Settings;
use crate::conn_info::ConnInfo;
use crate::proxy_protocol::{Header, Tls, Transport};
use crate::stream::Socket;

/// Common name in a certificate's subject (X.520).
const COMMON_NAME: &str = "2.5.4.3";

impl Settings {
    /// The PROXY header for a connection on behalf of this client, empty if the peers want none. `sni` is the host name
    /// of a hello that was not decrypted.
    pub fn opening(&self, client: &ConnInfo, sni: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.proxy_protocol {
            None => {}
            Some(ProxyVersion::V1) => {
                Header::of(Transport::Stream, client.peer, client.local).write_v1(&mut bytes);
            }
            Some(ProxyVersion::V2) => header(client, sni).write_v2(&mut bytes),
        }
        bytes
    }

    /// The PROXY header for a connection of our own, such as a check: `LOCAL` in version 2. In version 1 the socket's own
    /// addresses, since Postfix does not take `UNKNOWN`.
    pub fn opening_of_our_own(&self, socket: &Socket) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.proxy_protocol {
            None => {}
            Some(ProxyVersion::V1) => of_socket(socket).unwrap_or_default().write_v1(&mut bytes),
            Some(ProxyVersion::V2) => Header::default().write_v2(&mut bytes),
        }
        bytes
    }
}

/// As if the socket's near end were the client.
fn of_socket(socket: &Socket) -> Option<Header> {
    match socket {
        Socket::Tcp(tcp) => {
            let (near, far) = (tcp.local_addr().ok()?, tcp.peer_addr().ok()?);
            Some(Header::of(Transport::Stream, near, far))
        }
        Socket::Unix(_) => None,
    }
}

/// Everything that is known of a client.
fn header(client: &ConnInfo, sni: Option<&str>) -> Header {
    let mut header = Header::of(Transport::Stream, client.peer, client.local);
    header.unique_id = Some(client.session_name().into_bytes());
    header.authority = sni.map(str::to_owned);
    let Some(tls) = client.tls.as_deref() else {
        return header;
    };
    header.authority = tls.sni.clone();
    header.alpn = tls.alpn.as_ref().map(|name| name.as_bytes().to_vec());
    let subject = |peer: &alb_gm::tls::PeerCertificates| peer.sign.subject_values(COMMON_NAME);
    let shown = tls.peer.verified();
    header.tls = Some(Tls {
        active: true,
        certificate_on_connection: shown.is_some() && !tls.resumed,
        certificate_in_session: shown.is_some(),
        // A client whose certificate is not good does not get this far.
        verified: tls.peer.rejection().is_none(),
        version: Some(tls.protocol.as_str().to_owned()),
        common_name: shown.and_then(|peer| subject(peer).into_iter().next()),
        cipher: Some(tls.suite.to_owned()),
        ..Tls::default()
    });
    header
}
