//! Waits for the first hello of a connection, keeping every byte for Tongsuo to read again.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::client_hello::{ClientHello, NotAHello};

/// Most hellos fit without growing.
const USUAL_LENGTH: usize = 2048;

/// Why no hello came.
pub(super) enum NoHello {
    Transport(io::Error),
    /// The peer went away; it had sent so many bytes.
    Closed(usize),
    Not(NotAHello),
}

/// Reads until the hello is complete. `bytes` holds everything that was read, whatever the outcome.
pub(super) async fn read<S: AsyncRead + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
) -> Result<ClientHello, NoHello> {
    bytes.reserve(USUAL_LENGTH);
    loop {
        match stream.read_buf(bytes).await {
            Ok(0) => return Err(NoHello::Closed(bytes.len())),
            Ok(_) => {}
            Err(error) => return Err(NoHello::Transport(error)),
        }
        match ClientHello::parse(bytes) {
            Ok(Some(hello)) => return Ok(hello),
            Ok(None) => {}
            Err(not) => return Err(NoHello::Not(not)),
        }
    }
}
