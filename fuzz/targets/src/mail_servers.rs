//! What mail servers say to the gateway, from the greeting to the answer to a login.

use alb_conf::MailProtocol;
use alb_core::Stream;
use alb_mail::hear;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

const PROTOCOLS: [MailProtocol; 3] = [MailProtocol::Imap, MailProtocol::Pop3, MailProtocol::Smtp];

/// What fits into the buffer of a socket that nobody reads.
const MOST: usize = 64 * 1024;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
}

/// The first byte picks the protocol, the rest is what the server says before it leaves. What a client or the log may
/// come to see of it ends no line, and an answer under the client's tag is the only one that goes to it.
pub fn mail_servers(bytes: &[u8]) {
    let Some((pick, said)) = bytes.split_first() else {
        return;
    };
    let protocol = PROTOCOLS[usize::from(*pick) % PROTOCOLS.len()];
    let said = &said[..said.len().min(MOST)];
    let heard = RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let (mut server, gateway) = UnixStream::pair().expect("two sockets");
            server.write_all(said).await.expect("room for it");
            server.shutdown().await.expect("its end");
            hear(protocol, Stream::Plain(gateway.into())).await
        })
    });
    let sound = |text: &str| !text.chars().any(char::is_control);
    match heard {
        Err(why) => assert!(sound(&why), "{why:?}"),
        Ok(heard) => {
            assert!(heard.offers.iter().all(|line| sound(line)), "{heard:?}");
            let mut lines: Vec<&[u8]> = heard.welcome.split(|byte| *byte == b'\n').collect();
            let last = lines.pop().unwrap_or_default();
            assert!(
                lines.iter().all(|line| line.starts_with(b"* ")),
                "{heard:?}"
            );
            assert!(
                heard.challenge.is_some()
                    || protocol != MailProtocol::Imap
                    || last.to_ascii_uppercase().starts_with(b"OK"),
                "{heard:?}"
            );
        }
    }
}
