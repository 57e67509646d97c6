//! What follows a 101 response: bytes both ways, until both sides are done.

use alb_core::Stream;
use alb_core::relay::{Relay, Why};

use crate::connection::Client;
use crate::h1::transport::Transport;
use crate::pace::Limited;

/// The peer's end of an upgraded connection.
#[derive(Debug)]
pub struct Tunnel {
    /// The connection to the peer, with what it sent after its 101.
    pub peer: Transport<Stream>,
    /// The limits that count it, as the request it was.
    pub limited: Option<Box<Limited>>,
}

/// Moves bytes between client and peer until both have ended, one has failed, or nothing has moved for
/// `upgrade_timeout`. A tunnel of a worker that is leaving goes on until its client ends it, or the drain is over.
pub async fn relay(client: &Client, near: Transport<Stream>, tunnel: Tunnel) {
    let Tunnel { peer, limited } = tunnel;
    let throttle = || limited.as_deref().and_then(Limited::throttle);
    let mut relay = Relay::new(client.settings.upgrade_timeout, client.worker.stats.clone())
        .with_from_client(near.buffer.into())
        .with_from_upstream(peer.buffer.into())
        .paced(throttle(), throttle());
    let (mut near, mut far) = (near.stream, peer.stream);
    let ended = relay.run(&mut near, &mut far).await;
    if let Why::Failed(error) = &ended.why {
        tracing::debug!(by = ended.by.as_str(), %error, "upgraded connection ended");
        // One side broke off: the other must not take what it got for the whole.
        near.reset_on_drop();
        far.reset_on_drop();
    }
}
