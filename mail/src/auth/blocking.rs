//! Work that keeps a processor busy, a few at a time, away from the workers: password hashes take tens of milliseconds
//! and as many megabytes.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// At most this many at once, however many processors there are: an argon2id hash may take 64 MiB.
const MOST: usize = 8;

/// Runs closures on the blocking threads of the runtime, a bounded number at a time for all workers.
#[derive(Clone, Debug)]
pub struct Blocking(Arc<Semaphore>);

impl Blocking {
    /// As many at once as there are processors.
    pub fn new() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Blocking(Arc::new(Semaphore::new(processors.min(MOST))))
    }

    /// Runs a closure when it is its turn. `None` if it panicked or the runtime is ending.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
        let run = move || {
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(run).await.ok()
    }
}
