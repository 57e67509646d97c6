//! The access log of a daemon under test.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tempfile::NamedTempFile;
use tokio::sync::oneshot;

use crate::stopwatch::within;

/// A file for lines of the access log; it shows as its path.
#[derive(Debug)]
pub struct SessionLog(NamedTempFile);

impl SessionLog {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes a file")]
    pub fn new() -> Self {
        SessionLog(NamedTempFile::new().expect("a file"))
    }

    /// All lines that have been written. The daemon writes them within a second, and before it ends.
    pub fn lines(&self) -> Vec<String> {
        read(self.0.path()).lines().map(str::to_owned).collect()
    }

    /// Waits for a line that contains `pattern`.
    pub async fn wait_for(&self, pattern: &str) -> String {
        let (found, line) = oneshot::channel();
        let (path, wanted) = (self.0.path().to_owned(), pattern.to_owned());
        // A thread of its own: nobody waits for it when the line never comes.
        std::thread::spawn(move || {
            let _ = found.send(watch(path, &wanted));
        });
        within(pattern, line).await.expect("a line")
    }
}

impl fmt::Display for SessionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path().display().fmt(f)
    }
}

fn watch(path: PathBuf, pattern: &str) -> String {
    let changes = Inotify::init(InitFlags::empty()).expect("inotify");
    let flags = AddWatchFlags::IN_MODIFY;
    changes.add_watch(&path, flags).expect("a file to watch");
    loop {
        // What is written after this look is told.
        let text = read(&path);
        if let Some(line) = text.lines().find(|line| line.contains(pattern)) {
            return line.to_owned();
        }
        changes.read_events().expect("a change");
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("readable")
}
