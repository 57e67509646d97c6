//! A deep check of an SMTP server: it logs in and names who sends and who receives. No message follows.

use super::{Failed, Opened, by_password, say, understood};
use crate::backend::{Account, Envelope};

/// Logs in if there is an account, and has the server take sender and recipient.
pub(in crate::backend) async fn look(
    opened: &mut Opened,
    account: Option<&Account>,
    envelope: &Envelope,
) -> Result<(), Failed> {
    let Opened { wire, offers, .. } = opened;
    if let Some(account) = account {
        let password = account.password.as_bytes();
        let reply = by_password(wire, "", &account.user, password, offers).await?;
        if understood(&reply)?.is_some() {
            return Err(Failed::unreachable("it asks for more than a password"));
        }
    }
    for command in [
        format!("MAIL FROM:<{}>", envelope.sender),
        format!("RCPT TO:<{}>", envelope.recipient),
        "RSET".to_owned(),
    ] {
        let reply = say(wire, format!("{command}\r\n").as_bytes()).await?;
        if !matches!(reply.code, 250..=252) {
            let (code, text) = (reply.code, reply.text());
            let why = format!("it answers `{command}` with `{code} {text}`");
            return Err(Failed::Unavailable(why));
        }
    }
    Ok(())
}
