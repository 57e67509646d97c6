//! The pid file: names the running daemon, and is locked by it, so that a stale one is recognised whatever
//! number stands in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `alb reload` holds the lock for an instant when it looks; a start waits that long.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// The pid file of this process; emptied and removed when dropped.
pub struct PidFile {
    path: PathBuf,
    file: File,
}

/// Why the pid file cannot be taken.
#[derive(Debug)]
pub enum PidFileError {
    /// Another daemon holds it; its process number, if it can be read.
    Taken(Option<u32>),
    /// It cannot be written.
    Io(io::Error),
}

impl PidFile {
    /// Takes the file for this process.
    pub fn take(path: &Path) -> Result<Self, PidFileError> {
        for _ in 0..TRIES {
            let mut file = open(path).map_err(PidFileError::Io)?;
            match file.try_lock() {
                Ok(()) if is_still_at(&file, path) => {
                    write_pid(&mut file).map_err(PidFileError::Io)?;
                    let path = path.to_owned();
                    return Ok(PidFile { path, file });
                }
                // A daemon that was leaving removed the file between our opening and locking it.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
                Err(TryLockError::Error(error)) => return Err(PidFileError::Io(error)),
            }
        }
        Err(PidFileError::Taken(running(path).ok().flatten()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Emptied first: after the privileges are dropped, the directory may not let us remove it.
        let _ = self.file.set_len(0);
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The process number of the daemon that holds the file. `None`: nobody does, whatever it says.
pub fn running(path: &Path) -> io::Result<Option<u32>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok(text.trim().parse().ok())
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("alb.pid");
        (dir, path)
    }

    #[test]
    fn names_this_process_until_dropped() {
        let (_dir, path) = path();
        let taken = PidFile::take(&path).expect("taken");
        assert_eq!(running(&path).expect("read"), Some(std::process::id()));
        drop(taken);
        assert!(!path.exists());
    }

    #[test]
    fn a_second_daemon_is_told_who_has_it() {
        let (_dir, path) = path();
        let _first = PidFile::take(&path).expect("taken");
        match PidFile::take(&path) {
            Err(PidFileError::Taken(pid)) => assert_eq!(pid, Some(std::process::id())),
            _ => panic!("taken twice"),
        }
    }

    #[test]
    fn a_file_left_behind_is_stale_even_if_its_number_lives() {
        let (_dir, path) = path();
        std::fs::write(&path, std::process::id().to_string()).expect("written");
        assert_eq!(running(&path).expect("read"), None);
        PidFile::take(&path).expect("taken over");
    }
}
