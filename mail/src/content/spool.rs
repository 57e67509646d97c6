//! A message while it comes: its beginning in memory, the rest in a file without a name, which is gone with the process.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::spawn_blocking;

use super::budget::Share;
use super::store::Store;

/// Bytes written and read at once.
const PIECE: usize = 64 * 1024;

/// A message.
#[derive(Debug)]
pub struct Spool {
    store: Arc<Store>,
    memory: Share,
    disk: Share,
    beginning: BytesMut,
    /// What is to be written to the file.
    pending: BytesMut,
    file: Option<Arc<File>>,
    written: u64,
    /// Memory that is used for it elsewhere.
    beside: usize,
}

/// There is no room for a message.
#[derive(Debug)]
pub enum Full {
    /// All messages under way have taken what they may.
    Memory,
    /// The same for the disk.
    Disk,
    /// The disk has no room, or failed.
    Io(io::Error),
}

impl Spool {
    /// An empty message in this store.
    pub fn new(store: &Arc<Store>) -> Self {
        Spool {
            memory: Share::of(&store.memory),
            disk: Share::of(&store.disk),
            store: Arc::clone(store),
            beginning: BytesMut::new(),
            pending: BytesMut::new(),
            file: None,
            written: 0,
            beside: 0,
        }
    }

    /// Whether nothing has come.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes so far.
    pub fn len(&self) -> u64 {
        self.beginning.len() as u64 + self.written + self.pending.len() as u64
    }

    /// Whether some of it is in a file.
    #[cfg(test)]
    pub fn is_in_file(&self) -> bool {
        self.file.is_some()
    }

    /// Counts memory that is used for the message elsewhere.
    pub fn beside(&mut self, bytes: usize) {
        self.beside = bytes;
    }

    /// Adds to it.
    ///
    /// # Errors
    ///
    /// See [`Full`]; the message is of no use then.
    pub async fn add(&mut self, bytes: BytesMut) -> Result<(), Full> {
        let room = self.store.in_memory.saturating_sub(self.beginning.len());
        let rest = match room {
            0 => bytes,
            room => self.keep(bytes, room)?,
        };
        if rest.is_empty() {
            return Ok(());
        }
        self.pending.extend_from_slice(&rest);
        self.grow()?;
        while self.pending.len() >= PIECE {
            self.write().await?;
        }
        Ok(())
    }

    /// Writes what is left; nothing may be added after.
    pub async fn finish(&mut self) -> Result<(), Full> {
        match self.pending.is_empty() {
            true => Ok(()),
            false => self.write().await,
        }
    }

    /// The piece at `offset`; empty at the end.
    pub async fn piece(&self, offset: u64) -> io::Result<Bytes> {
        let in_memory = self.beginning.len() as u64;
        if offset < in_memory {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = self.beginning.len().min(start + PIECE);
            return Ok(Bytes::copy_from_slice(&self.beginning[start..end]));
        }
        let at = offset - in_memory;
        let (Some(file), Some(left)) = (&self.file, self.written.checked_sub(at)) else {
            return Ok(Bytes::new());
        };
        let size = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let file = Arc::clone(file);
        let read = move || {
            let mut piece = vec![0; size];
            file.read_exact_at(&mut piece, at)?;
            Ok(Bytes::from(piece))
        };
        spawn_blocking(read).await.map_err(io::Error::other)?
    }

    /// Takes as much as fits into memory, and returns the rest.
    fn keep(&mut self, mut bytes: BytesMut, room: usize) -> Result<BytesMut, Full> {
        let now = bytes.split_to(bytes.len().min(room));
        self.beginning.extend_from_slice(&now);
        self.grow()?;
        Ok(bytes)
    }

    /// Counts what is held.
    fn grow(&mut self) -> Result<(), Full> {
        let held = self.beginning.capacity() + self.pending.capacity() + self.beside;
        self.memory.grow_to(held as u64).map_err(|_| Full::Memory)
    }

    async fn write(&mut self) -> Result<(), Full> {
        let piece = self
            .pending
            .split_to(self.pending.len().min(PIECE))
            .freeze();
        let (at, size) = (self.written, piece.len() as u64);
        self.disk.grow_to(at + size).map_err(|_| Full::Disk)?;
        let (file, store) = (self.file.take(), Arc::clone(&self.store));
        let write = move || -> io::Result<Arc<File>> {
            let file = match file {
                Some(file) => file,
                // O_TMPFILE where the file system has it: the file never has a name.
                None => Arc::new(tempfile::tempfile_in(&store.directory)?),
            };
            file.write_all_at(&piece, at)?;
            Ok(file)
        };
        let written = spawn_blocking(write).await.map_err(io::Error::other);
        self.file = Some(written.and_then(|file| file).map_err(Full::Io)?);
        self.written += size;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alb_conf::{MailPolicy, Size};

    fn store(in_memory: u64, memory: u64, disk: u64) -> Arc<Store> {
        let written = MailPolicy {
            in_memory: Size::bytes(in_memory),
            memory: Size::bytes(memory),
            disk: Size::bytes(disk),
            directory: std::env::temp_dir().into(),
            ..MailPolicy::default()
        };
        Arc::new(Store::build(&written))
    }

    async fn read(spool: &Spool) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let piece = spool.piece(all.len() as u64).await.expect("a piece");
            match piece.is_empty() {
                true => return all,
                false => all.extend_from_slice(&piece),
            }
        }
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_whole() {
        let store = store(10_000, 1 << 20, 1 << 20);
        for size in [0, 1, 9_999, 10_000, 10_001, 75_536, 200_001] {
            let message: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
            let mut spool = Spool::new(&store);
            for chunk in message.chunks(7_777) {
                spool.add(chunk.into()).await.expect("room");
            }
            spool.finish().await.expect("room");
            assert_eq!(read(&spool).await, message);
            assert_eq!(
                (spool.len(), spool.is_in_file()),
                (size.into(), size > 10_000)
            );
        }
    }

    #[tokio::test]
    async fn messages_that_find_no_room_are_told_so() {
        let small = store(4096, 8192, 100_000);
        let mut one = Spool::new(&small);
        one.add(vec![0; 4096].as_slice().into())
            .await
            .expect("room");
        let mut other = Spool::new(&small);
        other.beside(8000);
        let full = other.add(b"x"[..].into()).await;
        assert!(matches!(full, Err(Full::Memory)));
        let narrow = store(4096, 1 << 20, 100_000);
        let mut large = Spool::new(&narrow);
        let full = large.add(vec![0; 300_000].as_slice().into()).await;
        assert!(matches!(full, Err(Full::Disk)));
        drop(large);
        let mut next = Spool::new(&narrow);
        next.add(vec![0; 90_000].as_slice().into())
            .await
            .expect("room again");
    }

    #[tokio::test]
    async fn a_file_has_no_name() {
        let directory = tempfile::tempdir().expect("a directory");
        let written = MailPolicy {
            in_memory: Size::bytes(4096),
            directory: directory.path().to_owned().into(),
            ..MailPolicy::default()
        };
        let mut spool = Spool::new(&Arc::new(Store::build(&written)));
        spool
            .add(vec![0; 100_000].as_slice().into())
            .await
            .expect("room");
        assert!(spool.is_in_file());
        assert_eq!(
            std::fs::read_dir(directory.path())
                .expect("a directory")
                .count(),
            0
        );
    }
}
