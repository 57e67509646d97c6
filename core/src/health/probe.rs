//! One check of one peer, with its I/O.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::check::{Asked, Check, Found, Talk};
use super::script::{Answer, Judgement, LONGEST, Script};
use crate::Stream;
use crate::upstream::{Peer, PeerAddress, Upstream, connector};

/// Checks a peer.
pub(super) async fn probe(peer: &Arc<Peer>, upstream: &Arc<Upstream>, check: &Check) -> Found {
    match timeout(check.timeout, within(peer, upstream, check)).await {
        Ok(Ok(found)) => found,
        Ok(Err(seen)) => Found::Bad(seen),
        Err(_) => Found::Bad(format!("no answer within {:?}", check.timeout)),
    }
}

async fn within(
    peer: &Arc<Peer>,
    upstream: &Arc<Upstream>,
    check: &Check,
) -> Result<Found, String> {
    let address = match (check.port, peer.address()) {
        (Some(port), PeerAddress::Tcp(address)) => {
            let mut address = *address;
            address.set_port(port);
            PeerAddress::Tcp(address)
        }
        (_, address) => address.clone(),
    };
    let stream = connector::probe(&address, peer, upstream.settings(), check.tls).await;
    let stream = stream.map_err(|error| error.to_string())?;
    match &check.talk {
        Talk::Script(script) => Ok(follow(stream, script).await.into()),
        Talk::Http {
            path,
            host,
            statuses,
        } => {
            let host = host.clone().unwrap_or_else(|| authority(peer, &address));
            let script = http(path, &host, statuses.clone());
            Ok(follow(stream, &script).await.into())
        }
        Talk::Foreign(foreign) => {
            let asked = Asked {
                host: authority(peer, &address),
                peer: Arc::clone(peer),
                upstream: Arc::clone(upstream),
            };
            Ok((foreign.talk)(stream, asked).await)
        }
    }
}

/// The host a request names when none is configured.
fn authority(peer: &Peer, address: &PeerAddress) -> String {
    match (address, peer.host()) {
        (PeerAddress::Tcp(address), Some(host)) if host.parse::<std::net::IpAddr>().is_err() => {
            format!("{host}:{}", address.port())
        }
        (PeerAddress::Tcp(address), _) => address.to_string(),
        (PeerAddress::Unix(_), _) => "localhost".to_owned(),
    }
}

fn http(path: &str, host: &str, statuses: Vec<std::ops::RangeInclusive<u16>>) -> Script {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: alb-health\r\nConnection: close\r\n\r\n"
    );
    Script {
        send: request.into_bytes(),
        answer: Answer::Status(statuses),
    }
}

async fn follow(mut stream: Stream, script: &Script) -> Result<(), String> {
    if !script.send.is_empty() {
        let sent = async {
            stream.write_all(&script.send).await?;
            stream.flush().await
        };
        sent.await.map_err(|e| format!("cannot send: {e}"))?;
    }
    let mut received = Vec::new();
    let mut ended = false;
    loop {
        match script.answer.judge(&received, ended) {
            Judgement::Good => break,
            Judgement::Bad(seen) => return Err(seen),
            Judgement::More => {
                let room = (LONGEST - received.len().min(LONGEST)) as u64;
                let read = (&mut stream).take(room).read_buf(&mut received).await;
                ended = read.map_err(|e| format!("cannot receive: {e}"))? == 0;
            }
        }
    }
    let _ = stream.shutdown().await;
    Ok(())
}
