//! What is made of a server's words, without a listener and without an upstream: for fuzzing.

use alb_conf::MailProtocol;
use alb_core::Stream;

use super::{Failed, imap, pop3, smtp};
use crate::wire::Wire;

/// What a server has said, as far as a client may come to see it.
#[derive(Debug)]
pub struct Heard {
    /// What it offers.
    pub offers: Vec<String>,
    /// Its words to a login it takes.
    pub welcome: Vec<u8>,
    /// What it asks for; `None` if it has taken the login.
    pub challenge: Option<Vec<u8>>,
}

/// Hears a server from the greeting to its answer to a login.
///
/// # Errors
///
/// The words that the log or the client would see: the server refuses, leaves, or says what it must not say.
pub async fn hear(protocol: MailProtocol, stream: Stream) -> Result<Heard, String> {
    let listening = async {
        let mut wire = Wire::new(stream);
        let mut opened = match protocol {
            MailProtocol::Imap => {
                let banner = imap::greeted(&mut wire).await?;
                imap::opened(wire, banner, false).await?
            }
            MailProtocol::Pop3 => {
                let banner = pop3::greeted(&mut wire).await?;
                pop3::opened(wire, banner, None).await?
            }
            MailProtocol::Smtp => {
                let banner = smtp::greeted(&mut wire).await?;
                smtp::opened(wire, banner, "gateway.test").await?
            }
        };
        let (wire, welcome) = (&mut opened.wire, &mut opened.welcome);
        let challenge = match protocol {
            MailProtocol::Imap => imap::said(wire, welcome).await?,
            MailProtocol::Pop3 => pop3::said(wire, welcome).await?,
            MailProtocol::Smtp => smtp::said(wire).await?,
        };
        Ok(Heard {
            offers: opened.offers.iter().map(str::to_owned).collect(),
            welcome: opened.welcome,
            challenge,
        })
    };
    listening.await.map_err(|failed| match failed {
        Failed::Unreachable(why)
        | Failed::Unfit(why)
        | Failed::Declined(why)
        | Failed::Unavailable(why) => why,
        Failed::Rejected(refusal) => format!("{} {}", refusal.code, refusal.text),
    })
}
