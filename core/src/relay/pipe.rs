//! Pipes of the relay: the kernel moves bytes from socket to pipe to socket (splice(2)) without copying them. Lent by the
//! worker while bytes wait, as buffers are.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Most bytes in a pipe: what a new one has room for. Larger ones were no faster, for the bytes leave the caches.
pub(super) const SIZE: usize = 64 * 1024;

/// Pipes that a worker has at most. Each takes two descriptors, and room that the kernel counts for each user
/// (`fs.pipe-user-pages-soft`); who gets none copies.
const MOST: usize = 128;
/// Pipes that a worker keeps for the next who needs one.
const KEPT: usize = 16;

thread_local! {
    static FREE: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
    /// Pipes of this worker, whoever has them.
    pub(super) static OPEN: Cell<usize> = const { Cell::new(0) };
}

/// Bytes that have been taken from one socket, and not yet been given to another.
#[derive(Debug)]
pub(super) struct Pipe {
    /// There until it is dropped.
    ends: Option<Ends>,
    holds: usize,
}

#[derive(Debug)]
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// An empty pipe; `None` if there are too many, or the system gives none.
    pub(super) fn lend() -> Option<Self> {
        let ends = FREE.with_borrow_mut(Vec::pop).or_else(Ends::open)?;
        Some(Pipe {
            ends: Some(ends),
            holds: 0,
        })
    }

    /// Bytes that wait.
    pub(super) fn holds(&self) -> usize {
        self.holds
    }

    /// Takes at most so many bytes from a socket, when nothing waits: 0 at its end.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &TcpStream,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        };
        loop {
            ready!(source.poll_read_ready(cx))?;
            let most = most.min(SIZE);
            match source.try_io(Interest::READABLE, || pass(source, &ends.write, most)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                taken => {
                    self.holds = *taken.as_ref().unwrap_or(&0);
                    return Poll::Ready(taken);
                }
            }
        }
    }

    /// Gives what waits, or some of it, to a socket.
    pub(super) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        sink: &TcpStream,
    ) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        };
        loop {
            ready!(sink.poll_write_ready(cx))?;
            let given = sink.try_io(Interest::WRITABLE, || pass(&ends.read, sink, self.holds));
            match given {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                given => {
                    self.holds = self.holds.saturating_sub(*given.as_ref().unwrap_or(&0));
                    return Poll::Ready(given);
                }
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // One that holds bytes must not be lent to another session.
        let Some(ends) = self.ends.take().filter(|_| self.holds == 0) else {
            return;
        };
        // At the end of the thread there is nobody left to keep it for.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() < KEPT {
                free.push(ends);
            }
        });
    }
}

impl Ends {
    fn open() -> Option<Self> {
        if OPEN.get() >= MOST {
            return None;
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        OPEN.set(OPEN.get() + 1);
        Some(Ends { read, write })
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = OPEN.try_with(|open| open.set(open.get() - 1));
    }
}

/// Whether the kernel says that it cannot splice these (splice(2), "Errors"), and not that a connection failed.
pub(super) fn is_refusal(error: &io::Error) -> bool {
    let no = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::PERM];
    Errno::from_io_error(error).is_some_and(|errno| no.contains(&errno))
}

fn pass(from: impl rustix::fd::AsFd, to: impl rustix::fd::AsFd, most: usize) -> io::Result<usize> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    Ok(splice(from, None, to, None, most, flags)?)
}
