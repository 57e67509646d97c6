//! From a path to a file below a root, and nothing outside it. Blocks; runs on threads that may wait.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderValue;
use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use crate::route::Files;

/// Files above this size are not kept in memory.
const SMALL: u64 = 1024 * 1024;

/// What was found.
pub enum Found {
    /// The file is the one that is known.
    Unchanged,
    /// A file.
    File(OpenFile),
}

/// An opened file.
pub struct OpenFile {
    pub identity: Identity,
    pub content: Content,
    pub modified: SystemTime,
    pub content_type: HeaderValue,
}

/// The bytes of a file.
#[derive(Debug)]
pub enum Content {
    Memory(Bytes),
    Disk(Arc<File>),
}

/// Tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
    pub length: u64,
    pub modified_seconds: i64,
    pub modified_nanos: i64,
}

/// Why there is no file.
#[derive(Debug, PartialEq, Eq)]
pub enum Missing {
    NotFound,
    Forbidden,
    /// There is a directory, but the path does not end with a slash.
    IsDirectory,
    /// The disk failed.
    Failed,
}

/// Finds the file for a normalised path. When it is the one `known` already, nothing is read.
pub fn find(files: &Files, path: &[u8], known: Option<Identity>) -> Result<Found, Missing> {
    let root = open(
        &files.root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(|errno| failed(&files.root, errno))?;
    let Some(directory) = path.strip_suffix(b"/") else {
        return file(beneath(&root, path)?, path, files, known);
    };
    for index in &files.index {
        let mut name = directory.to_vec();
        name.push(b'/');
        name.extend_from_slice(index.as_bytes());
        match beneath(&root, &name) {
            Err(Missing::NotFound) => {}
            opened => return file(opened?, &name, files, known),
        }
    }
    // The directory exists, but its content is nobody's business.
    beneath(&root, path).and(Err(Missing::Forbidden))
}

/// Opens a path below `root`. The kernel refuses every step out of it, by dots and by links alike.
fn beneath(root: &OwnedFd, path: &[u8]) -> Result<File, Missing> {
    let relative = path.strip_prefix(b"/").unwrap_or(path);
    let relative = if relative.is_empty() { b"." } else { relative };
    // Without NONBLOCK, opening a FIFO would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(root, relative, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        Err(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::XDEV
            | Errno::LOOP
            | Errno::NAMETOOLONG
            | Errno::NXIO,
        ) => Err(Missing::NotFound),
        Err(Errno::ACCESS | Errno::PERM) => Err(Missing::Forbidden),
        Err(errno) => Err(failed(Path::new("a file below it"), errno)),
    }
}

fn file(file: File, name: &[u8], files: &Files, known: Option<Identity>) -> Result<Found, Missing> {
    let metadata = file.metadata().map_err(|_| Missing::Failed)?;
    if metadata.is_dir() {
        return Err(Missing::IsDirectory);
    }
    if !metadata.is_file() {
        return Err(Missing::NotFound);
    }
    let identity = Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        length: metadata.len(),
        modified_seconds: metadata.mtime(),
        modified_nanos: metadata.mtime_nsec(),
    };
    if known == Some(identity) {
        return Ok(Found::Unchanged);
    }
    let content = content(file, identity.length, files.cache)?;
    let modified = metadata.modified().map_err(|_| Missing::Failed)?;
    Ok(Found::File(OpenFile {
        identity,
        content,
        modified,
        content_type: content_type(name),
    }))
}

fn content(mut file: File, length: u64, cache: u64) -> Result<Content, Missing> {
    if length > SMALL.min(cache / 8) {
        return Ok(Content::Disk(Arc::new(file)));
    }
    let mut bytes = Vec::new();
    // One byte more than expected tells a file that is growing.
    let read = file
        .by_ref()
        .take(length + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| Missing::Failed)?;
    if read as u64 == length {
        Ok(Content::Memory(bytes.into()))
    } else {
        Err(Missing::Failed)
    }
}

fn content_type(name: &[u8]) -> HeaderValue {
    let name = String::from_utf8_lossy(name);
    let guess = mime_guess::from_path(Path::new(&*name)).first_raw();
    HeaderValue::from_static(guess.unwrap_or("application/octet-stream"))
}

fn failed(what: &Path, errno: Errno) -> Missing {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Missing::NotFound,
        Errno::ACCESS => Missing::Forbidden,
        errno => {
            tracing::error!(path = %what.display(), "cannot open: {errno}");
            Missing::Failed
        }
    }
}
