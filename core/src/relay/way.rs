//! One direction of a relay: read, write, and pass the end on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::buffer::{Buffer, SIZE};
use super::pipe::{self, Pipe};
use super::{Duplex, Ended, Why};
use crate::error::Side;
use crate::limit::Throttle;

/// How bulky a direction must have proven before the kernel moves its bytes; for small messages a copy is cheaper.
const BULKY: u8 = 2;
/// As bulky as it gets: small messages make up for it one after the other, each by half.
const BULKIEST: u8 = 8;
/// What is worth a pipe.
const WORTH: usize = 8 * 1024;

/// One direction.
#[derive(Default)]
pub(super) struct Way {
    waiting: Option<Waiting>,
    stage: Stage,
    /// Grows with every read that fills its buffer.
    bulk: u8,
    /// The kernel does not move bytes between these two.
    refused: bool,
    moved: u64,
    /// Holds the pace of the source.
    throttle: Option<Throttle>,
    /// Until when nothing is read, to hold that pace.
    pause: Option<Pin<Box<Sleep>>>,
    /// Something was written since the last flush.
    unflushed: bool,
}

/// Bytes that have been read and not yet been written.
enum Waiting {
    /// In our memory.
    Copied(Buffer),
    /// In the kernel's.
    Spliced(Pipe),
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Open,
    /// The source has ended; the other end is being told.
    Ending,
    Over,
}

/// Which end failed.
#[derive(Debug)]
pub(super) enum Fault {
    Source(io::Error),
    Sink(io::Error),
}

impl Way {
    pub(super) fn starting_with(bytes: Vec<u8>) -> Self {
        Way {
            waiting: (!bytes.is_empty()).then(|| Waiting::Copied(Buffer::holding(bytes))),
            ..Way::default()
        }
    }

    /// Holds this pace from now on.
    pub(super) fn pace(&mut self, throttle: Option<Throttle>) {
        self.throttle = throttle;
    }

    /// Bytes that have reached the sink.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// The source has ended, and the sink has been told.
    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Moves what can be moved now; the task is woken when more can be. `last`: the other direction is over, so that the
    /// sink is closed when this one is.
    pub(super) fn carry(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Duplex,
        sink: &mut impl Duplex,
        last: bool,
    ) -> Result<(), Fault> {
        while self.write(cx, sink).map_err(Fault::Sink)?.is_ready() {
            match self.stage {
                Stage::Open => {
                    let spliced = self.bulk >= BULKY && !self.refused && sink.tcp().is_some();
                    let read = self.read(cx, source, spliced).map_err(Fault::Source)?;
                    if read.is_pending() {
                        return self.flush(cx, sink).map_err(Fault::Sink);
                    }
                }
                Stage::Ending => {
                    // Closing a socket says as much as shutting it down (TLS has to say more).
                    let said = last && sink.tcp().is_some();
                    if !said && Self::end(cx, sink).map_err(Fault::Sink)?.is_pending() {
                        break;
                    }
                    self.stage = Stage::Over;
                }
                Stage::Over => break,
            }
        }
        Ok(())
    }

    /// Writes all that waits.
    fn write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut impl Duplex,
    ) -> Result<Poll<()>, io::Error> {
        while let Some(waiting) = &mut self.waiting {
            let written = match waiting {
                Waiting::Copied(buffer) => Pin::new(&mut *sink).poll_write(cx, buffer.waiting()),
                Waiting::Spliced(pipe) => match sink.tcp() {
                    Some(socket) => pipe.poll_drain(cx, socket),
                    None => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
                },
            };
            let count = match written {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => written?,
            };
            self.moved += count as u64;
            let left = match waiting {
                Waiting::Copied(buffer) => {
                    self.unflushed = true;
                    buffer.advance(count);
                    buffer.waiting().len()
                }
                Waiting::Spliced(pipe) => pipe.holds(),
            };
            if left == 0 {
                self.waiting = None;
            }
        }
        Ok(Poll::Ready(()))
    }

    /// Reads once, as the pace allows.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Duplex,
        spliced: bool,
    ) -> Result<Poll<()>, io::Error> {
        if self.rest(cx).is_pending() {
            return Ok(Poll::Pending);
        }
        let most = self.throttle.as_ref().map(Throttle::piece);
        let read = match spliced {
            true => self.splice(cx, source, most.unwrap_or(pipe::SIZE)),
            false => None,
        };
        let read = read.unwrap_or_else(|| self.copy(cx, source, most.unwrap_or(SIZE)));
        let count = match read {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(read) => read?,
        };
        if count == 0 {
            self.stage = Stage::Ending;
        }
        let much = match spliced {
            true => WORTH,
            false => SIZE,
        };
        self.bulk = match count >= much {
            true => BULKIEST.min(self.bulk + 1),
            false => self.bulk / 2,
        };
        self.charge(count);
        Ok(Poll::Ready(()))
    }

    /// Reads into a buffer, which is kept only if something came.
    fn copy(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Duplex,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = Buffer::lend();
        let mut room = buffer.room(most);
        ready!(Pin::new(source).poll_read(cx, &mut room))?;
        let count = room.filled().len();
        if count > 0 {
            buffer.fill(count);
            self.waiting = Some(Waiting::Copied(buffer));
        }
        Poll::Ready(Ok(count))
    }

    /// Has the kernel take bytes into a pipe; `None` if they have to be copied.
    fn splice(
        &mut self,
        cx: &mut Context<'_>,
        source: &impl Duplex,
        most: usize,
    ) -> Option<Poll<io::Result<usize>>> {
        let socket = source.tcp()?;
        let mut pipe = Pipe::lend()?;
        let taken = pipe.poll_fill(cx, socket, most);
        match &taken {
            Poll::Ready(Err(error)) if pipe::is_refusal(error) => {
                self.refused = true;
                return None;
            }
            Poll::Ready(Ok(1..)) => self.waiting = Some(Waiting::Spliced(pipe)),
            _ => {}
        }
        Some(taken)
    }

    /// Waits until the pace allows another read.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    fn charge(&mut self, count: usize) {
        let Some(throttle) = self.throttle.as_mut().filter(|_| count > 0) else {
            return;
        };
        let now = Instant::now();
        let wait = throttle.take(count, now.into_std());
        if !wait.is_zero() {
            self.pause = Some(Box::pin(sleep_until(now + wait)));
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>, sink: &mut impl Duplex) -> Result<(), io::Error> {
        if self.unflushed {
            match Pin::new(sink).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the sink that nothing follows. One that has gone already needs no telling.
    fn end(cx: &mut Context<'_>, sink: &mut impl Duplex) -> Result<Poll<()>, io::Error> {
        match Pin::new(sink).poll_shutdown(cx) {
            Poll::Pending => Ok(Poll::Pending),
            Poll::Ready(Err(error)) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            Poll::Ready(_) => Ok(Poll::Ready(())),
        }
    }
}

impl Fault {
    /// The end of a relay whose direction from `source` to `sink` had this fault.
    pub(super) fn between(self, source: Side, sink: Side) -> Ended {
        let (by, error) = match self {
            Fault::Source(error) => (source, error),
            Fault::Sink(error) => (sink, error),
        };
        Ended {
            by,
            why: Why::Failed(error),
        }
    }
}
