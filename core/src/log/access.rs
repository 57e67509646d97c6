//! The access log: lines collected per worker, written by one thread.
//!
//! A worker hands over whole lines only, and never waits: when the disk cannot keep up, lines are dropped and counted.

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use alb_conf::AccessFormat;

use super::file::{LogFile, Rotation};
use crate::stats::WorkerStats;

/// A buffer this full is handed over before its second is out.
const FULL: usize = 32 * 1024;

/// Buffers that may wait for the disk, of all workers together.
const QUEUE: usize = 256;

/// The thread that writes one access log.
pub struct AccessWriter {
    sink: AccessSink,
    path: PathBuf,
    thread: JoinHandle<()>,
}

/// Where workers send their lines, and in which form; clones lead to the same file.
#[derive(Clone)]
pub struct AccessSink {
    sender: SyncSender<Message>,
    /// The form of a line.
    pub format: AccessFormat,
}

/// The lines of one worker that are not yet on their way.
pub struct AccessBuffer {
    sink: RefCell<Option<AccessSink>>,
    lines: RefCell<Vec<u8>>,
    stats: Arc<WorkerStats>,
}

enum Message {
    Lines(Vec<u8>),
    Reopen,
    Rotation(Rotation),
}

impl AccessWriter {
    /// Starts the thread for an opened file.
    pub fn spawn(
        file: LogFile,
        path: &Path,
        format: AccessFormat,
    ) -> std::io::Result<AccessWriter> {
        let (sender, receiver) = sync_channel(QUEUE);
        let builder = std::thread::Builder::new().name("alb-access-log".into());
        let thread = builder.spawn(move || write_all(&file, &receiver))?;
        Ok(AccessWriter {
            sink: AccessSink { sender, format },
            path: path.to_owned(),
            thread,
        })
    }

    /// The file it writes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A sink that writes lines of this form.
    pub fn sink(&self, format: AccessFormat) -> AccessSink {
        AccessSink {
            format,
            ..self.sink.clone()
        }
    }

    /// Opens the path anew, after the lines already handed over.
    pub fn reopen(&self) {
        self.send(Message::Reopen);
    }

    /// Takes new limits.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.send(Message::Rotation(rotation));
    }

    /// Waits until every line handed over is written. Every sink must have been dropped or redirected before.
    pub fn finish(self) {
        drop(self.sink);
        // A panic of the thread has been logged by the hook; there is nothing left to save.
        let _ = self.thread.join();
    }

    fn send(&self, message: Message) {
        // Fails only if the thread has panicked, which is logged.
        let _ = self.sink.sender.send(message);
    }
}

impl AccessBuffer {
    /// An empty buffer; `None` writes nothing.
    pub fn new(sink: Option<AccessSink>, stats: Arc<WorkerStats>) -> Rc<Self> {
        Rc::new(AccessBuffer {
            sink: RefCell::new(sink),
            lines: RefCell::new(Vec::new()),
            stats,
        })
    }

    /// The form of a line, or `None` while there is no access log.
    pub fn format(&self) -> Option<AccessFormat> {
        self.sink.borrow().as_ref().map(|sink| sink.format)
    }

    /// Adds a line: `write` appends it without the newline, and must escape what it takes from outside.
    pub fn line(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = self.lines.borrow_mut();
        write(&mut lines);
        lines.push(b'\n');
        if lines.len() >= FULL {
            self.hand_over(&mut lines);
        }
    }

    /// Sends what has collected on its way; called at least every second.
    pub fn flush(&self) {
        self.hand_over(&mut self.lines.borrow_mut());
    }

    /// Goes on with another file, form, or none; earlier lines still go to the earlier file.
    pub fn redirect(&self, sink: Option<AccessSink>) {
        self.flush();
        *self.sink.borrow_mut() = sink;
    }

    fn hand_over(&self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        let full = std::mem::replace(lines, Vec::with_capacity(lines.len()));
        let Some(sink) = &*self.sink.borrow() else {
            return;
        };
        if let Err(TrySendError::Full(Message::Lines(lost))) =
            sink.sender.try_send(Message::Lines(full))
        {
            let count = lost.iter().filter(|byte| **byte == b'\n').count();
            self.stats.log_lines_dropped.add(count as u64);
        }
    }
}

fn write_all(file: &LogFile, messages: &Receiver<Message>) {
    let mut failing = false;
    for message in messages {
        let result = match message {
            Message::Lines(lines) => (&*file).write_all(&lines),
            Message::Reopen => file.reopen(),
            Message::Rotation(rotation) => {
                file.set_rotation(rotation);
                Ok(())
            }
        };
        match result {
            Ok(()) => failing = false,
            // Once per spell of failures: a full disk would otherwise fill the error log too.
            Err(error) if !failing => {
                failing = true;
                tracing::error!("cannot write the access log: {error}");
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> (tempfile::TempDir, AccessWriter) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("access.log");
        let file = LogFile::open(&path, Rotation { size: 0, keep: 1 }).expect("opened");
        let writer = AccessWriter::spawn(file, &path, AccessFormat::Combined).expect("a thread");
        (dir, writer)
    }

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (_dir, writer) = writer();
        let path = writer.path().to_owned();
        let sink = writer.sink(AccessFormat::Combined);
        let buffer = AccessBuffer::new(Some(sink), Arc::default());
        for number in 0..10_000 {
            buffer.line(|out| out.extend_from_slice(format!("line {number}").as_bytes()));
        }
        buffer.redirect(None);
        writer.finish();
        let text = std::fs::read_to_string(path).expect("readable");
        let expected: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn without_a_file_there_is_no_form_and_nothing_is_kept() {
        let buffer = AccessBuffer::new(None, Arc::default());
        assert_eq!(buffer.format(), None);
        buffer.line(|out| out.extend_from_slice(b"lost"));
        buffer.flush();
        assert!(buffer.lines.borrow().is_empty());
    }

    #[test]
    fn reopen_comes_after_the_lines_before_it() {
        let (dir, writer) = writer();
        let path = writer.path().to_owned();
        let buffer = AccessBuffer::new(Some(writer.sink(AccessFormat::Combined)), Arc::default());
        let line = |text: &'static str| {
            buffer.line(|out| out.extend_from_slice(text.as_bytes()));
            buffer.flush();
        };
        line("before");
        std::fs::rename(&path, dir.path().join("moved")).expect("renamed");
        writer.reopen();
        line("after");
        buffer.redirect(None);
        writer.finish();
        let read = |path| std::fs::read_to_string(path).expect("readable");
        assert_eq!(read(dir.path().join("moved")), "before\n");
        assert_eq!(read(path), "after\n");
    }
}
