//! The access log of a daemon under test.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::stopwatch::within;

/// A file for lines of the access log; it shows as its path.
#[derive(Debug)]
pub struct SessionLog {
    path: PathBuf,
    _directory: TempDir,
}

impl SessionLog {
    /// An empty one.
    #[expect(clippy::new_without_default, reason = "it makes a file")]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("sessions.log");
        std::fs::write(&path, "").expect("a file in ours");
        SessionLog {
            path,
            _directory: directory,
        }
    }

    /// All lines that have been written. The daemon writes them within a second, and before it ends.
    pub fn lines(&self) -> Vec<String> {
        read(&self.path).lines().map(str::to_owned).collect()
    }

    /// Waits for a line that contains `pattern`.
    pub async fn wait_for(&self, pattern: &str) -> String {
        wait_for_lines(&self.path, pattern, 1).await.remove(0)
    }
}

impl fmt::Display for SessionLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// Waits until a file, which may come later, has so many lines with `pattern` in them; these lines.
pub async fn wait_for_lines(path: &Path, pattern: &str, count: usize) -> Vec<String> {
    let (found, lines) = oneshot::channel();
    let (watched, wanted) = (path.to_owned(), pattern.to_owned());
    // A thread of its own: nobody waits for it when the lines never come.
    std::thread::spawn(move || {
        let _ = found.send(watch(&watched, &wanted, count));
    });
    let what = format!("{count} lines with {pattern:?} in {}", path.display());
    within(&what, lines).await.expect("lines")
}

fn watch(path: &Path, pattern: &str, count: usize) -> Vec<String> {
    let changes = Inotify::init(InitFlags::empty()).expect("inotify");
    let flags = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
    let directory = path.parent().expect("a directory");
    changes
        .add_watch(directory, flags)
        .expect("a directory to watch");
    loop {
        // What is written after this look is told.
        let text = read(path);
        // A line without its end is being written.
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = whole.filter(|line| line.contains(pattern));
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        if lines.len() >= count {
            return lines;
        }
        changes.read_events().expect("a change");
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
