//! One direction of a relay: read, write, and pass the end on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

use super::buffer::{Buffer, SIZE};
use super::{Duplex, Ended, Why};
use crate::error::Side;
use crate::limit::Throttle;

/// One direction.
#[derive(Default)]
pub(super) struct Way {
    waiting: Option<Buffer>,
    stage: Stage,
    moved: u64,
    /// Holds the pace of the source.
    throttle: Option<Throttle>,
    /// Until when nothing is read, to hold that pace.
    pause: Option<Pin<Box<Sleep>>>,
    /// Something was written since the last flush.
    unflushed: bool,
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
            waiting: (!bytes.is_empty()).then(|| Buffer::holding(bytes)),
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

    /// Moves what can be moved now; the task is woken when more can be.
    pub(super) fn carry(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Duplex,
        sink: &mut impl Duplex,
    ) -> Result<(), Fault> {
        while self.write(cx, sink).map_err(Fault::Sink)?.is_ready() {
            match self.stage {
                Stage::Open => {
                    if self.read(cx, source).map_err(Fault::Source)?.is_pending() {
                        return self.flush(cx, sink).map_err(Fault::Sink);
                    }
                }
                Stage::Ending => {
                    if Self::end(cx, sink).map_err(Fault::Sink)?.is_pending() {
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
        let Some(buffer) = &mut self.waiting else {
            return Ok(Poll::Ready(()));
        };
        while !buffer.waiting().is_empty() {
            match Pin::new(&mut *sink).poll_write(cx, buffer.waiting()) {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    buffer.advance(count);
                    self.moved += count as u64;
                    self.unflushed = true;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.waiting = None;
        Ok(Poll::Ready(()))
    }

    /// Reads once; the buffer is kept only if something came.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Duplex,
    ) -> Result<Poll<()>, io::Error> {
        if self.rest(cx).is_pending() {
            return Ok(Poll::Pending);
        }
        let most = self.throttle.as_ref().map_or(SIZE, Throttle::piece);
        let mut buffer = Buffer::lend();
        let mut room = buffer.room(most);
        let read = Pin::new(source).poll_read(cx, &mut room);
        let count = room.filled().len();
        match read {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Ready(Ok(())) if count == 0 => self.stage = Stage::Ending,
            Poll::Ready(Ok(())) => {
                buffer.fill(count);
                self.waiting = Some(buffer);
                self.charge(count);
            }
        }
        Ok(Poll::Ready(()))
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
        let Some(throttle) = &mut self.throttle else {
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
