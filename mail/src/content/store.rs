//! Where messages are kept while they come, and how much room all of them have together.

use std::path::PathBuf;
use std::sync::Arc;

use alb_conf::MailPolicy;

use super::budget::Budget;

/// Room for messages.
#[derive(Debug)]
pub struct Store {
    /// Bytes of a message kept in memory.
    pub in_memory: usize,
    /// Memory for messages under way.
    pub memory: Arc<Budget>,
    /// Disk space for messages under way.
    pub disk: Arc<Budget>,
    /// Where their files are.
    pub directory: PathBuf,
}

impl Store {
    /// The room that a policy gives.
    pub fn build(written: &MailPolicy) -> Self {
        Store {
            in_memory: usize::try_from(*written.in_memory).unwrap_or(usize::MAX),
            memory: Arc::new(Budget::new(*written.memory)),
            disk: Arc::new(Budget::new(*written.disk)),
            directory: written.directory.to_path_buf(),
        }
    }
}
