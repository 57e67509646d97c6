//! A deep check of an IMAP server: it logs in and asks for the state of the inbox.

use super::{Attempt, Failed, Opened, after, finish, tagged, words};
use crate::backend::Account;

/// Logs in by an account of our own and looks into its mailbox.
pub(in crate::backend) async fn look(opened: &mut Opened, account: &Account) -> Result<(), Failed> {
    let Opened {
        wire,
        offers,
        welcome,
        ..
    } = opened;
    if offers.has("LOGINDISABLED") {
        return Err(Failed::unreachable(
            "it takes no logins on this connection (LOGINDISABLED)",
        ));
    }
    let password = account.password.as_bytes();
    let attempt = Attempt::by_password("", &account.user, password, offers)?;
    wire.send(&attempt.command)
        .await
        .map_err(Failed::unreachable)?;
    if finish(wire, welcome, attempt.rest).await?.is_some() {
        return Err(Failed::unreachable("it asks for more than a password"));
    }
    wire.send(b"D STATUS INBOX (MESSAGES)\r\n")
        .await
        .map_err(Failed::unreachable)?;
    let (status, _) = tagged(wire, b"D ").await?;
    match after(&status, b"OK") {
        Some(_) => Ok(()),
        None => Err(Failed::Unavailable(format!(
            "it answers STATUS INBOX with `{}`",
            words(&status)
        ))),
    }
}
