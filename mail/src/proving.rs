//! A client proves itself: challenges go out, its answers come in, until it has shown its credentials or failed to.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use alb_conf::MailProtocol;
use bytes::BytesMut;
use zeroize::Zeroize;

use crate::client::{Client, Stop};
use crate::sasl::{Challenge, Credentials, Exchange, Failure, MAX_LINE, Mechanism, Step};

/// Has the client prove itself by a mechanism: challenges go out after `prompt`, until it has shown its credentials or
/// failed to.
///
/// # Errors
///
/// The session ends: the client left, was silent for too long, or sent a line without end.
pub async fn converse(
    client: &mut Client,
    mechanism: Mechanism,
    initial: Option<&[u8]>,
) -> Result<Result<Credentials, Failure>, Stop> {
    let mut exchange = exchange(client, mechanism);
    let mut step = exchange.begin(initial);
    loop {
        match step {
            Ok(Step::Done(credentials)) => return Ok(Ok(credentials)),
            Err(failure) => return Ok(Err(failure)),
            Ok(Step::Continue(challenge)) => {
                let mut line = ask(client, challenge.as_bytes()).await?;
                step = exchange.respond(&line);
                line.as_mut().zeroize();
            }
        }
    }
}

/// Asks the client something within an exchange, and reads its answer.
pub async fn ask(client: &mut Client, challenge: &[u8]) -> Result<BytesMut, Stop> {
    let prompt: &[u8] = match client.service.protocol {
        MailProtocol::Smtp => b"334 ",
        MailProtocol::Imap | MailProtocol::Pop3 => b"+ ",
    };
    client.send([prompt, challenge, b"\r\n"].concat()).await?;
    client.line(MAX_LINE + 2).await
}

/// An exchange by one mechanism, with a challenge for those that answer one.
fn exchange(client: &Client, mechanism: Mechanism) -> Exchange {
    let challenge = (mechanism == Mechanism::CramMd5).then(|| challenge(client));
    Exchange::new(mechanism, client.service.auth.rules(), challenge)
}

/// A challenge that has never been before.
pub fn challenge(client: &Client) -> Challenge {
    // Keyed with what the system's random numbers gave: nobody can foretell it.
    let random = RandomState::new().hash_one(client.info.id);
    Challenge::new(&client.service.hostname, SystemTime::now(), random)
}
