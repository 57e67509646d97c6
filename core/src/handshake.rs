//! What is counted and logged of a handshake with a client that failed.

use std::net::SocketAddr;

use alb_gm::tls::{HandshakeError, Reason};

use crate::stats::WorkerStats;

/// Counts the failure and writes one line: who, what it offered, why, and the remedy.
pub fn failed(stats: &WorkerStats, listener: &str, client: SocketAddr, error: &HandshakeError) {
    stats.handshake_failed(error.reason);
    let reason = error.reason.as_str();
    let help = match error.help.is_empty() {
        true => "none needed",
        false => &error.help,
    };
    // Scans and health checks open connections and say nothing: no reason to be alarmed.
    if error.reason == Reason::PeerClosed && error.offered.versions.is_empty() {
        tracing::info!(%client, listener, reason, "handshake failed: {error}");
    } else {
        tracing::warn!(
            %client, listener, reason, offered = %error.offered, help,
            "handshake failed: {error}"
        );
    }
}
