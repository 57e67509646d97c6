//! Reaching a peer: a TCP or unix socket, and TLS or TLCP on top where configured.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;

use alb_gm::tls::{Connector, HandshakeError};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Type};
use tokio::io::{AsyncWriteExt, Interest};
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
    connect_as(peer, settings, &[]).await
}

/// As [`connect`], and says `opening` ([`Settings::opening`]) before the handshake.
pub async fn connect_as(peer: &Peer, settings: &Settings, opening: &[u8]) -> Result<Stream, Error> {
    let establishing = pin!(establish(peer, settings, opening));
    match timeout(settings.connect_timeout, establishing).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(Kind::ConnectTimeout, Side::Upstream)),
    }
}

/// Connects for a check: to an address that may have another port, under `tls` only if that is checked, too.
pub(crate) async fn probe(
    address: &PeerAddress,
    peer: &Peer,
    settings: &Settings,
    tls: bool,
) -> Result<Stream, Error> {
    let refused = |error| Error::because(Kind::Connect, Side::Upstream, error);
    let mut socket = socket(address, settings).await.map_err(refused)?;
    let own = settings.opening_of_our_own(&socket);
    socket.write_all(&own).await.map_err(refused)?;
    shake(socket, peer, settings.tls.as_ref().filter(|_| tls)).await
}

/// Opens the socket of a peer, within `connect_timeout`; for protocols that talk before they shake hands.
pub async fn open(peer: &Peer, settings: &Settings) -> Result<Socket, Error> {
    let opening = pin!(socket(peer.address(), settings));
    match timeout(settings.connect_timeout, opening).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(error)) => Err(Error::because(Kind::Connect, Side::Upstream, error)),
        Err(_) => Err(Error::new(Kind::ConnectTimeout, Side::Upstream)),
    }
}

/// Shakes hands on an open socket, if the settings have TLS or TLCP.
pub async fn secure(socket: Socket, peer: &Peer, settings: &Settings) -> Result<Stream, Error> {
    shake(socket, peer, settings.tls.as_ref()).await
}

async fn shake(socket: Socket, peer: &Peer, tls: Option<&Arc<Connector>>) -> Result<Stream, Error> {
    let Some(tls) = tls else {
        return Ok(Stream::Plain(socket));
    };
    match tls.connect(socket, peer.host().unwrap_or(LOCAL_HOST)).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(failed(error)),
    }
}

/// What the handshake says about itself tells more than the remedy for all of its kind.
fn failed(error: HandshakeError) -> Error {
    match error.help.as_str() {
        "" => Error::because(Kind::Handshake, Side::Upstream, error),
        help => {
            let cause = format!("{error}; help: {help}");
            Error::because(Kind::Handshake, Side::Upstream, cause)
        }
    }
}

async fn establish(peer: &Peer, settings: &Settings, opening: &[u8]) -> Result<Stream, Error> {
    let socket = reach(peer.address(), settings, opening).await?;
    secure(socket, peer, settings).await
}

async fn reach(
    address: &PeerAddress,
    settings: &Settings,
    opening: &[u8],
) -> Result<Socket, Error> {
    let refused = |error| Error::because(Kind::Connect, Side::Upstream, error);
    let mut socket = socket(address, settings).await.map_err(refused)?;
    if !opening.is_empty() {
        // In one write: a header in pieces would be taken for a malformed one by some.
        socket.write_all(opening).await.map_err(refused)?;
    }
    Ok(socket)
}

async fn socket(address: &PeerAddress, settings: &Settings) -> io::Result<Socket> {
    match address {
        PeerAddress::Tcp(address) => {
            let stream = open_tcp(*address, settings.source(*address)).await?;
            Ok(stream.into())
        }
        PeerAddress::Unix(path) => Ok(UnixStream::connect(path).await?.into()),
    }
}

/// Connects, from this address if one is given.
async fn open_tcp(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let (domain, kind) = (Domain::for_address(to), Type::STREAM.nonblocking());
    let socket = socket2::Socket::new(domain, kind, Some(Protocol::TCP))?;
    // Requests are written whole; waiting for more only delays them.
    socket.set_tcp_nodelay(true)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {}
        begun => begun?,
    }
    connected(TcpStream::from_std(socket.into())?).await
}

/// Waits until a connection is there, or has failed. The kernel is asked why only if it says that it has.
async fn connected(stream: TcpStream) -> io::Result<TcpStream> {
    let ready = stream.ready(Interest::WRITABLE | Interest::ERROR).await?;
    match ready.is_error() || ready.is_write_closed() {
        true => stream.take_error()?.map_or(Ok(stream), Err),
        false => Ok(stream),
    }
}
