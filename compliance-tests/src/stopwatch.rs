//! Deadlines for everything that waits.

use std::future::Future;
use std::time::Duration;

/// How long a test waits for something that should happen at once. Generous: the machine may be busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `future` no longer than [`PATIENCE`]; panics with `what` when it does not come.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}
