//! One end of a session: the client's asks, the origin's answers.

use std::io;
use std::net::TcpStream;
use std::time::Instant;

use super::message::{HEAD, Head, Pages, Receiving, Sending};

/// One end.
pub struct End {
    side: Side,
    sending: Sending,
    /// Waits for room to send.
    full: bool,
    receiving: Receiving,
}

enum Side {
    /// When it asked.
    Client(Instant),
    /// What it was asked for.
    Origin(Option<Head>),
}

/// What has happened.
pub enum Step {
    Nothing,
    /// So many bytes came.
    Part(usize),
    /// So many bytes came, the last ones of the reply to what was asked then.
    Answered(usize, Instant),
    /// The other end has closed.
    Ended,
    /// The socket has to be watched for room, or no longer.
    Room(bool),
}

impl End {
    pub fn origin() -> Self {
        End {
            side: Side::Origin(None),
            sending: Sending::default(),
            full: false,
            receiving: Receiving(None),
        }
    }

    /// A client that is going to ask.
    pub fn client() -> Self {
        End {
            side: Side::Client(Instant::now()),
            ..End::origin()
        }
    }

    pub fn is_client(&self) -> bool {
        matches!(self.side, Side::Client(_))
    }

    /// Sends a request.
    pub fn ask(&mut self, head: Head, stream: &TcpStream, pages: &mut Pages) -> io::Result<Step> {
        self.side = Side::Client(Instant::now());
        self.receiving = Receiving(Some(head.reply));
        self.sending.begin(head.request, head.to_bytes());
        self.send(stream, pages)
    }

    /// Goes on after an event.
    pub fn advance(&mut self, stream: &TcpStream, pages: &mut Pages) -> io::Result<Step> {
        if self.full {
            match self.send(stream, pages)? {
                Step::Nothing => {}
                step => return Ok(step),
            }
        }
        let Some((count, head)) = self.receiving.go(stream, pages)? else {
            return Ok(Step::Nothing);
        };
        let complete = self.receiving.0 == Some(0);
        match &mut self.side {
            _ if count == 0 => Ok(Step::Ended),
            Side::Client(at) if complete => Ok(Step::Answered(count, *at)),
            Side::Client(_) => Ok(Step::Part(count)),
            Side::Origin(asked) => {
                *asked = head.or(*asked);
                if let (true, Some(head)) = (complete, asked.take()) {
                    self.receiving = Receiving(None);
                    self.sending.begin(head.reply, [0; HEAD]);
                    if let Step::Room(room) = self.send(stream, pages)? {
                        return Ok(Step::Room(room));
                    }
                }
                Ok(Step::Part(count))
            }
        }
    }

    fn send(&mut self, stream: &TcpStream, pages: &mut Pages) -> io::Result<Step> {
        let full = !self.sending.go(stream, pages)?;
        let changed = full != std::mem::replace(&mut self.full, full);
        Ok(match changed {
            true => Step::Room(full),
            false => Step::Nothing,
        })
    }
}
