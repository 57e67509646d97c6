//! A server that is kept waiting while a message comes: it is told from time to time that we are here.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::reply::Reply;
use crate::client::Stop;
use crate::wire::Wire;

/// Servers wait five minutes for a command (RFC 5321 § 4.5.3.2.7).
const ALIVE: Duration = Duration::from_secs(100);

/// How long they may take to say that they have heard it.
const SETTLING: Duration = Duration::from_secs(30);

/// What such a server has heard.
#[derive(Debug)]
pub(super) struct Vigil {
    /// When it last heard of us.
    alive: Instant,
    /// Its replies to what it was told for that.
    owed: u32,
}

impl Vigil {
    /// It has heard of us now.
    pub(super) fn begin() -> Self {
        Vigil {
            alive: Instant::now(),
            owed: 0,
        }
    }

    /// It has been told something.
    pub(super) fn told(&mut self) {
        self.alive = Instant::now();
    }

    /// When it is to hear of us again.
    pub(super) fn due(&self) -> Instant {
        self.alive + ALIVE
    }

    /// Tells it that we are here.
    pub(super) async fn remind(&mut self, server: &mut Wire) -> Result<(), Stop> {
        let sent = server.send(b"NOOP\r\n").await;
        sent.map_err(|_| Stop::Violation("server_closed"))?;
        self.told();
        self.owed += 1;
        Ok(())
    }

    /// Takes the replies that are owed; any other means that the server has had enough.
    pub(super) fn heard(&mut self, server: &mut Wire) -> Result<(), Stop> {
        while let Some(reply) =
            Reply::take(&mut server.buffer).map_err(|_| Stop::Violation("server_malformed"))?
        {
            if self.owed == 0 || reply.code == 421 {
                return Err(Stop::Violation("server_closed"));
            }
            self.owed -= 1;
        }
        Ok(())
    }

    /// Reads the replies that are owed.
    pub(super) async fn settle(&mut self, server: &mut Wire) -> Result<(), Stop> {
        loop {
            self.heard(server)?;
            if self.owed == 0 {
                return Ok(());
            }
            match timeout(SETTLING, server.fill()).await {
                Ok(Ok(1..)) => {}
                _ => return Err(Stop::Violation("server_closed")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alb_core::{Socket, Stream};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn a_server_is_reminded_and_owes_an_answer_and_nothing_else() {
        for (said, stays) in [(&b"250 here\r\n"[..], true), (b"421 enough\r\n", false)] {
            let (ours, mut server) = UnixStream::pair().expect("a pair");
            let mut wire = Wire::new(Stream::Plain(Socket::from(ours)));
            let mut vigil = Vigil::begin();
            let before = vigil.due();
            vigil.remind(&mut wire).await.expect("a server");
            assert!(vigil.due() > before);
            let mut heard = [0; 6];
            server.read_exact(&mut heard).await.expect("a command");
            assert_eq!(&heard, b"NOOP\r\n");
            server.write_all(said).await.expect("a gateway");
            assert_eq!(vigil.settle(&mut wire).await.is_ok(), stays);
            if stays {
                server.write_all(said).await.expect("a gateway");
                wire.fill().await.expect("a server");
                assert!(vigil.heard(&mut wire).is_err());
            }
        }
    }
}
