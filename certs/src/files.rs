//! Writes files whole or not at all: a temporary neighbour, flushed to disk, then moved into place.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What every temporary file's name ends with.
pub const TEMPORARY: &str = ".alb-tmp";

/// Writes a file of mode 0600 through a temporary neighbour, so that it is never seen half-written.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    write_whole(path, content, 0o600)
}

/// Writes a file of mode 0644 through a temporary neighbour, so that it is never seen half-written.
pub fn write_public(path: &Path, content: &[u8]) -> Result<()> {
    write_whole(path, content, 0o644)
}

/// Writes a file of mode 0644 that must not exist yet, and never replaces one.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    place(path, content, 0o644, link)
}

/// Writes a file of mode 0600 that must not exist yet, and never replaces one.
pub fn write_new_private(path: &Path, content: &[u8]) -> Result<()> {
    place(path, content, 0o600, link)
}

/// A hard link, unlike a rename, never replaces.
fn link(temporary: &Path, path: &Path) -> std::io::Result<()> {
    fs::hard_link(temporary, path)?;
    fs::remove_file(temporary)
}

/// Removes what killed writers left in a directory. The caller must know that no writer is at work there.
pub fn remove_temporaries(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).map_err(Error::io("read", directory))? {
        let path = entry.map_err(Error::io("read", directory))?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().ends_with(TEMPORARY))
        {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Reads a whole file of at most 16 MiB: nothing this crate reads is larger.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    const LIMIT: u64 = 16 << 20;
    let length = fs::metadata(path).map_err(Error::io("read", path))?.len();
    if length > LIMIT {
        return Err(Error::Refused(format!(
            "`{}` has {length} bytes; keys and certificates have at most {LIMIT}",
            path.display()
        )));
    }
    fs::read(path).map_err(Error::io("read", path))
}

/// Makes what was renamed, linked or removed in a directory durable.
pub fn sync_directory(directory: &Path) -> Result<()> {
    let directory = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    fs::File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(Error::io("write", directory))
}

fn write_whole(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    place(path, content, mode, |temporary, path| {
        fs::rename(temporary, path)
    })
}

fn place(
    path: &Path,
    content: &[u8],
    mode: u32,
    arrive: fn(&Path, &Path) -> std::io::Result<()>,
) -> Result<()> {
    let temporary = temporary_name(path);
    let result = write_synced(&temporary, content, mode).and_then(|()| arrive(&temporary, path));
    if result.is_err() {
        // The first error is the one to tell; what is left behind is only a temporary file.
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Refused(format!(
            "`{}` exists already and is not replaced; choose another name, or remove it first",
            path.display()
        )),
        _ => Error::io("write", path)(error),
    })?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{TEMPORARY}", std::process::id()));
    path.with_file_name(name)
}

fn write_synced(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_never_replaces_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write_new(&path, b"first").unwrap();
        assert!(write_new(&path, b"second").is_err());
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        write_public(&directory.path().join("kept"), b"").unwrap();
        fs::write(temporary_name(&directory.path().join("kept")), b"half").unwrap();
        remove_temporaries(directory.path()).unwrap();
        let names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["kept"]);
    }
}
