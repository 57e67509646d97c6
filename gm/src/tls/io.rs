//! The bridge between Tongsuo's blocking view of a stream and tokio's: a call that would wait becomes `WouldBlock`.

use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A tokio stream as Tongsuo reads and writes it, with the bytes of the hello put back in front.
pub(super) struct Bridge<S> {
    pub(super) stream: S,
    replay: Vec<u8>,
    replayed: usize,
    waker: Waker,
    /// The stream itself has ended, which is not the same as the peer having said so (close_notify).
    pub(super) ended: bool,
}

impl<S> Bridge<S> {
    /// `replay` is read before anything from `stream`; its memory is released after that.
    pub(super) fn new(stream: S, replay: Vec<u8>) -> Self {
        Bridge {
            stream,
            replay,
            replayed: 0,
            waker: Waker::noop().clone(),
            ended: false,
        }
    }

    /// The task to wake when a later call stops at `WouldBlock`.
    pub(super) fn set_waker(&mut self, cx: &Context<'_>) {
        if !self.waker.will_wake(cx.waker()) {
            self.waker.clone_from(cx.waker());
        }
    }
}

impl<S: AsyncRead + Unpin> Read for Bridge<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.replayed < self.replay.len() {
            let n = (&self.replay[self.replayed..]).read(buf)?;
            self.replayed += n;
            if self.replayed == self.replay.len() {
                self.replay = Vec::new();
                self.replayed = 0;
            }
            return Ok(n);
        }
        let mut read = ReadBuf::new(buf);
        let mut cx = Context::from_waker(&self.waker);
        ready(Pin::new(&mut self.stream).poll_read(&mut cx, &mut read))?;
        let n = read.filled().len();
        self.ended |= n == 0;
        Ok(n)
    }
}

impl<S: AsyncWrite + Unpin> Write for Bridge<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        ready(Pin::new(&mut self.stream).poll_write(&mut cx, buf))
    }

    /// Does nothing: Tongsuo takes a flush that would wait for a failure. The owner of the bridge flushes the stream.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn ready<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        // variant-ssl takes `NotConnected` for "try again", and the task would sleep for ever.
        Poll::Ready(Err(e)) if e.kind() == ErrorKind::NotConnected => {
            Err(ErrorKind::ConnectionReset.into())
        }
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}
