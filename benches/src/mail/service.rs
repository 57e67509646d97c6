//! The service that decides about logins, in the protocol of nginx's `auth_http`: everybody may come in, at the server of
//! the protocol asked for.

use std::io;

use memchr::memmem;

use super::server::Goes;
use super::wire::Wire;
use super::{Ports, Protocol};

/// A connection to the service.
#[derive(Default)]
pub struct Service {
    /// A head that has not arrived completely.
    partial: Vec<u8>,
}

impl Service {
    /// Answers a request when its head is complete; keeps the connection if it is asked to.
    pub fn take(&mut self, bytes: &[u8], wire: &mut Wire, ports: &Ports) -> io::Result<Goes> {
        self.partial.extend_from_slice(bytes);
        let Some(end) = memmem::find(&self.partial, b"\r\n\r\n") else {
            return Ok(true);
        };
        let head = &self.partial[..end];
        let says = |words: &[u8]| memmem::find(head, words).is_some();
        let protocol = [Protocol::Imap, Protocol::Pop3, Protocol::Smtp]
            .into_iter()
            .find(|protocol| says(format!("Auth-Protocol: {}", protocol.as_str()).as_bytes()))
            .ok_or_else(|| io::Error::other("a request without its protocol"))?;
        let stays =
            says(b" HTTP/1.1\r\n") && !says(b"onnection: close") || says(b"onnection: keep-alive");
        let port = ports.of(protocol);
        let connection = if stays { "keep-alive" } else { "close" };
        self.partial.clear();
        wire.send(
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: {connection}\r\nAuth-Status: OK\r\n\
                 Auth-Server: 127.0.0.1\r\nAuth-Port: {port}\r\n\r\n"
            )
            .as_bytes(),
        )?;
        Ok(stays)
    }
}
