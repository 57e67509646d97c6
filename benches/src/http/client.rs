//! One connection of the load: sends a request, reads its response, and begins anew.

use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Instant;

use memchr::memmem;

use crate::tally::Tally;

/// The state of a connection: which part of the response is still to come.
pub struct Client {
    sent: Instant,
    /// The head, while it is incomplete.
    head: Vec<u8>,
    /// Bytes of the body to come; `None` before its length is known.
    left: Option<usize>,
}

impl Client {
    /// Sends the first request.
    pub fn start(mut stream: &TcpStream, request: &[u8]) -> io::Result<Self> {
        stream.write_all(request)?;
        Ok(Self {
            sent: Instant::now(),
            head: Vec::new(),
            left: None,
        })
    }

    /// Takes what arrived; after the end of a response sends the next request.
    pub fn advance(
        &mut self,
        mut stream: &TcpStream,
        read: &[u8],
        request: &[u8],
        tally: &mut Tally,
    ) -> io::Result<()> {
        self.left = match self.left {
            Some(left) => Some(left.checked_sub(read.len()).ok_or_else(overlong)?),
            None => self.head(read)?,
        };
        if self.left == Some(0) {
            self.left = None;
            self.head.clear();
            let now = Instant::now();
            tally.add(now - self.sent);
            self.sent = now;
            stream.write_all(request)?;
        }
        Ok(())
    }

    /// What is left of the body after these bytes; `None` while the head is incomplete.
    fn head(&mut self, read: &[u8]) -> io::Result<Option<usize>> {
        if !self.head.is_empty() || memmem::find(read, b"\r\n\r\n").is_none() {
            self.head.extend_from_slice(read);
        }
        let head = if self.head.is_empty() {
            read
        } else {
            &self.head
        };
        let Some(end) = memmem::find(head, b"\r\n\r\n") else {
            return Ok(None);
        };
        let length = content_length(&head[..end + 2])
            .ok_or_else(|| io::Error::other("not a 200 with a length"))?;
        let left = (end + 4 + length).checked_sub(head.len());
        Ok(Some(left.ok_or_else(overlong)?))
    }
}

fn overlong() -> io::Error {
    io::Error::other("more than the response")
}

/// The length a 200 declares.
fn content_length(head: &[u8]) -> Option<usize> {
    if !head.starts_with(b"HTTP/1.1 200") {
        return None;
    }
    head.split(|b| *b == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(b"content-length:".len())?;
        let value = name
            .eq_ignore_ascii_case(b"content-length:")
            .then(|| value.trim_ascii())?;
        std::str::from_utf8(value).ok()?.parse().ok()
    })
}
