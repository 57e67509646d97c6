//! A log file that renames itself away when it has grown, and can be reopened after somebody else renamed it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// When a file is rotated and how many old ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes after which it is renamed; 0 never.
    pub size: u64,
    /// Old files kept, as `error.log.1` (the youngest) to `error.log.N`.
    pub keep: u32,
}

/// A log file shared by threads. Each `write` is one piece: lines are never torn.
pub struct LogFile {
    inner: Mutex<Inner>,
}

struct Inner {
    path: PathBuf,
    file: File,
    written: u64,
    rotation: Rotation,
}

impl LogFile {
    /// Opens the file for appending; it is made readable by its owner and group only.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let (file, written) = open(path)?;
        Ok(LogFile {
            inner: Mutex::new(Inner {
                path: path.to_owned(),
                file,
                written,
                rotation,
            }),
        })
    }

    /// Opens the path anew, after it was renamed. On failure the old file stays in use.
    pub fn reopen(&self) -> io::Result<()> {
        self.lock().reopen()
    }

    /// Takes new limits from the next line on.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.lock().rotation = rotation;
    }

    /// Gives the file, and those it will be rotated to, to another user.
    pub fn chown(&self, uid: u32, gid: u32) -> io::Result<()> {
        std::os::unix::fs::fchown(&self.lock().file, Some(uid), Some(gid))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LogFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.lock().append(lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let full = self.rotation.size > 0
            && self.written > 0
            && self.written + lines.len() as u64 > self.rotation.size;
        if full {
            // Writing on in a file that is too large is better than losing what there is to say.
            let _ = self.rotate();
        }
        self.file.write_all(lines)?;
        self.written += lines.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.rotation.keep).rev() {
            // A gap in the numbers is no error.
            let _ = std::fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        std::fs::rename(&self.path, self.numbered(1))?;
        self.reopen()
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.written) = open(&self.path)?;
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o640).open(path)?;
    let written = file.metadata()?.len();
    Ok((file, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: u64, keep: u32) -> (tempfile::TempDir, PathBuf, LogFile) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("error.log");
        let log = LogFile::open(&path, Rotation { size, keep }).expect("opened");
        (dir, path, log)
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).expect("readable")
    }

    #[test]
    fn rotates_at_the_size_and_keeps_the_youngest() {
        let (_dir, path, log) = file(8, 2);
        for line in ["one...\n", "two...\n", "three.\n", "four..\n"] {
            (&log).write_all(line.as_bytes()).expect("written");
        }
        let numbered = |n: u32| path.with_file_name(format!("error.log.{n}"));
        assert_eq!(read(&path), "four..\n");
        assert_eq!(read(&numbered(1)), "three.\n");
        assert_eq!(read(&numbered(2)), "two...\n");
        assert!(!numbered(3).exists());
    }

    #[test]
    fn size_zero_never_rotates() {
        let (_dir, path, log) = file(0, 2);
        for _ in 0..100 {
            (&log).write_all(b"line\n").expect("written");
        }
        assert_eq!(read(&path).len(), 500);
    }

    #[test]
    fn reopen_follows_the_path_after_a_rename() {
        let (dir, path, log) = file(0, 1);
        (&log).write_all(b"before\n").expect("written");
        let moved = dir.path().join("moved");
        std::fs::rename(&path, &moved).expect("renamed");
        log.reopen().expect("reopened");
        (&log).write_all(b"after\n").expect("written");
        assert_eq!(
            (read(&moved), read(&path)),
            ("before\n".into(), "after\n".into())
        );
    }

    #[test]
    fn a_failed_reopen_goes_on_with_the_old_file() {
        let (dir, path, log) = file(0, 1);
        let moved = dir.path().join("moved");
        std::fs::rename(&path, &moved).expect("renamed");
        std::fs::create_dir(&path).expect("something in the way");
        assert!(log.reopen().is_err());
        (&log).write_all(b"still here\n").expect("written");
        assert_eq!(read(&moved), "still here\n");
    }
}
