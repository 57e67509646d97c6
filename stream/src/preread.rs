//! The hello of a session that is not decrypted: read far enough to know the host name, and passed on with the rest.

use std::time::Duration;

use alb_core::Stream;
use alb_core::client_hello::ClientHello;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// Longest hello that is looked at, as nginx's `preread_buffer_size`. One with two post-quantum key shares has 4 KiB.
const LONGEST: usize = 16 * 1024;

/// What a session begins with.
#[derive(Debug, Default)]
pub(crate) struct Hello {
    /// Every byte that was read; the peer gets them first.
    pub bytes: Vec<u8>,
    /// The host name asked for, if this is a hello with one.
    pub sni: Option<String>,
}

/// Why there is no hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHello {
    /// It was not there in time.
    TimedOut,
    /// The client closed before.
    Closed,
}

impl NoHello {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            NoHello::TimedOut => "no hello in time",
            NoHello::Closed => "closed before the hello",
        }
    }
}

/// Reads until the host name is known, or it is clear that there is none: the client speaks something else, or its hello
/// is longer than 16 KiB.
pub(crate) async fn read(client: &mut Stream, within: Duration) -> Result<Hello, NoHello> {
    let hello = timeout(within, read_hello(client));
    hello.await.unwrap_or(Err(NoHello::TimedOut))
}

async fn read_hello(client: &mut Stream) -> Result<Hello, NoHello> {
    let mut bytes = Vec::with_capacity(2048);
    loop {
        let room = LONGEST - bytes.len();
        match (&mut *client).take(room as u64).read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return Err(NoHello::Closed),
            Ok(_) => {}
        }
        match ClientHello::parse(&bytes) {
            Ok(None) if bytes.len() < LONGEST => {}
            Ok(hello) => {
                let sni = hello.and_then(|hello| hello.sni);
                return Ok(Hello { bytes, sni });
            }
            Err(_) => return Ok(Hello { bytes, sni: None }),
        }
    }
}
