//! The thread of the active checks: one per daemon. Its handshakes must delay neither the workers nor a reload.

use std::io;
use std::sync::Arc;

use alb_core::health;
use alb_core::stats::HealthStats;
use alb_core::upstream::Upstream;
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Starts the thread; it ends when the sender is dropped.
pub fn spawn(
    upstreams: watch::Receiver<Vec<Arc<Upstream>>>,
    stats: &Arc<HealthStats>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let stats = Arc::clone(stats);
    let thread = std::thread::Builder::new().name("alb-health".to_owned());
    thread.spawn(move || LocalSet::new().block_on(&runtime, health::run(upstreams, stats)))?;
    Ok(())
}
