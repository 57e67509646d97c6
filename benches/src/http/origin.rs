//! The origin: every request is answered with the same 1 KiB.

use std::io::{self, Write};
use std::net::TcpStream;

use memchr::memmem;

/// What is sent for each request.
static RESPONSE: [u8; HEAD.len() + BODY] = response();
const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nServer: load\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n";
const BODY: usize = 1024;

/// One connection of a server to the origin.
#[derive(Default)]
pub struct Origin {
    /// A head that has not arrived completely.
    partial: Vec<u8>,
}

impl Origin {
    /// Answers a request when its head is complete; requests have no bodies here.
    pub fn answer(&mut self, mut stream: &TcpStream, read: &[u8]) -> io::Result<()> {
        if !self.partial.is_empty() || memmem::find(read, b"\r\n\r\n").is_none() {
            self.partial.extend_from_slice(read);
            if memmem::find(&self.partial, b"\r\n\r\n").is_none() {
                return Ok(());
            }
            self.partial.clear();
        }
        stream.write_all(&RESPONSE)
    }
}

const fn response() -> [u8; HEAD.len() + BODY] {
    let mut out = [b'a'; HEAD.len() + BODY];
    let mut at = 0;
    while at < HEAD.len() {
        out[at] = HEAD[at];
        at += 1;
    }
    out
}
