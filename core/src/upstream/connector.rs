//! Reaching a peer: a TCP or unix socket, and TLS or TLCP on top where configured.

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::address::PeerAddress;
use super::peer::Peer;
use super::settings::Settings;
use crate::error::{Error, Kind, Side};
use crate::stream::{Socket, Stream};

/// What TLS names over a unix socket when `server_name` is not set.
const LOCAL_HOST: &str = "localhost";

/// Connects to a peer and shakes hands, all within `connect_timeout`.
pub async fn connect(peer: &Peer, settings: &Settings) -> Result<Stream, Error> {
    match timeout(settings.connect_timeout, establish(peer, settings)).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(Kind::ConnectTimeout, Side::Upstream)),
    }
}

async fn establish(peer: &Peer, settings: &Settings) -> Result<Stream, Error> {
    let refused = |error| Error::because(Kind::Connect, Side::Upstream, error);
    let socket = open(peer.address()).await.map_err(refused)?;
    let Some(tls) = &settings.tls else {
        return Ok(Stream::Plain(socket));
    };
    match tls.connect(socket, peer.host().unwrap_or(LOCAL_HOST)).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(Error::because(Kind::Handshake, Side::Upstream, error)),
    }
}

async fn open(address: &PeerAddress) -> std::io::Result<Socket> {
    match address {
        PeerAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            // Requests are written whole; waiting for more only delays them.
            stream.set_nodelay(true)?;
            Ok(stream.into())
        }
        PeerAddress::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
    }
}
