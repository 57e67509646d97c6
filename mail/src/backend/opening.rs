//! A connection to a server: opened, protected as configured, greeted, and asked what the server offers.

use std::time::Instant;

use alb_conf::MailProtocol;
use alb_core::upstream::{PeerAddress, PeerRef, connector};
use alb_core::{ConnInfo, Socket, Stream};
use tokio::io::AsyncWriteExt;

use super::{Failed, Opened, Visit, imap, pop3, smtp};
use crate::capabilities::Offers;
use crate::service::{Pool, Service};
use crate::wire::Wire;

/// A connection to a server that has what this client was promised.
pub(crate) async fn open_for(
    visit: &Visit<'_>,
    pool: &Pool,
    peer: &PeerRef,
) -> Result<Opened, Failed> {
    let opened = open(visit.service, pool, peer, Some(visit.info)).await?;
    match lacking(visit.promised, &opened.offers) {
        None => Ok(opened),
        Some(lacking) => Err(Failed::Unfit(format!(
            "it does not offer `{lacking}` as the others do"
        ))),
    }
}

/// Connects, greets and protects. Without a client (a probe) the server is told nothing of one.
pub(crate) async fn open(
    service: &Service,
    pool: &Pool,
    peer: &PeerRef,
    client: Option<&ConnInfo>,
) -> Result<Opened, Failed> {
    let settings = pool.upstream.settings();
    if is_ourselves(peer.address(), client) {
        return Err(Failed::unreachable(
            "it is this listener: connecting would go round in circles",
        ));
    }
    let mut socket = connector::open(peer, settings)
        .await
        .map_err(Failed::unreachable)?;
    // A server that expects a header says nothing before it has one, to a probe neither.
    let header = match client {
        Some(info) => settings.opening(info, None),
        None => settings.opening_of_our_own(&socket),
    };
    // In one write: Dovecot resets a connection whose header comes in two segments.
    socket
        .write_all(&header)
        .await
        .map_err(Failed::unreachable)?;
    let secure = async |socket| {
        let stream = connector::secure(socket, peer, settings).await;
        stream.map_err(Failed::unreachable)
    };
    let starttls = *pool.plan.starttls;
    let stream = match starttls {
        true => Stream::Plain(socket),
        false => secure(socket).await?,
    };
    let shake = starttls.then_some(secure);
    let as_learned = client.is_some() && header.is_empty() && !starttls;
    let known = as_learned.then(|| known(service, pool, peer)).flatten();
    let wire = Wire::new(stream);
    greet(wire, service.protocol, &service.hostname, shake, known).await
}

/// What the servers of the pool are known to offer on a connection like this, so that this one needs not be asked. Only for
/// POP3, whose servers refuse what they do not offer before they have been shown a password, and only for one of those
/// that have been asked: whoever decides about a login may name others.
fn known(service: &Service, pool: &Pool, peer: &PeerRef) -> Option<Offers> {
    if service.protocol != MailProtocol::Pop3 {
        return None;
    }
    let peers = pool.upstream.peers();
    let mut known = peers.iter();
    known.find(|known| known.address() == peer.address())?;
    pool.learned.recent(Instant::now())
}

/// Hears a server's greeting, has TLS begin if there is a handshake (`shake`), and finds out what the server offers, if it
/// is not `known`.
pub(crate) async fn greet(
    mut wire: Wire,
    protocol: MailProtocol,
    hostname: &str,
    shake: Option<impl AsyncFnOnce(Socket) -> Result<Stream, Failed>>,
    known: Option<Offers>,
) -> Result<Opened, Failed> {
    let banner = match protocol {
        MailProtocol::Imap => imap::greeted(&mut wire).await?,
        MailProtocol::Pop3 => pop3::greeted(&mut wire).await?,
        MailProtocol::Smtp => smtp::greeted(&mut wire).await?,
    };
    let upgraded = shake.is_some();
    if let Some(shake) = shake {
        match protocol {
            MailProtocol::Imap => imap::ask_for_tls(&mut wire).await?,
            MailProtocol::Pop3 => pop3::ask_for_tls(&mut wire).await?,
            MailProtocol::Smtp => smtp::ask_for_tls(&mut wire, hostname).await?,
        }
        wire = Wire::new(shake(clear(wire)?).await?);
    }
    match protocol {
        MailProtocol::Imap => imap::opened(wire, banner, upgraded).await,
        MailProtocol::Pop3 => pop3::opened(wire, banner, known).await,
        MailProtocol::Smtp => smtp::opened(wire, banner, hostname).await,
    }
}

/// The connection after the server's go-ahead. Bytes behind it are an attack (CVE-2021-38371): they would be taken for
/// bytes of the protected connection.
fn clear(wire: Wire) -> Result<Socket, Failed> {
    if !wire.buffer.is_empty() {
        return Err(Failed::unreachable("bytes behind the answer to STARTTLS"));
    }
    match wire.stream {
        Stream::Plain(socket) => Ok(socket),
        Stream::Tls(_) => Err(Failed::unreachable("the connection is protected already")),
    }
}

/// A server that is the very listener the client came to.
fn is_ourselves(server: &PeerAddress, client: Option<&ConnInfo>) -> bool {
    match (server, client) {
        (PeerAddress::Tcp(server), Some(info)) => *server == info.local,
        _ => false,
    }
}

fn lacking<'p>(promised: &'p Offers, offers: &Offers) -> Option<&'p str> {
    let keyword = |line: &'p str| line.split(' ').next().unwrap_or(line);
    promised
        .iter()
        .map(keyword)
        .find(|keyword| !offers.has(keyword))
}
