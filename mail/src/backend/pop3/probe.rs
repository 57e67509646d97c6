//! A deep check of a POP3 server: it logs in and asks how much there is.

use super::{Failed, Opened, by_password, say, understood, words};
use crate::backend::Account;

/// Logs in by an account of our own and looks into its mailbox.
pub(in crate::backend) async fn look(opened: &mut Opened, account: &Account) -> Result<(), Failed> {
    let Opened {
        wire,
        offers,
        welcome,
        ..
    } = opened;
    let password = account.password.as_bytes();
    let reply = by_password(wire, "", &account.user, password, offers, false).await?;
    if understood(&reply, welcome)?.is_some() {
        return Err(Failed::unreachable("it asks for more than a password"));
    }
    let reply = say(wire, b"STAT\r\n").await?;
    match reply.starts_with(b"+OK") {
        true => Ok(()),
        false => Err(Failed::Unavailable(format!(
            "it answers STAT with `{}`",
            words(&reply)
        ))),
    }
}
