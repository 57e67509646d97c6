//! Deep checks: whether a server lets an account in, and does for it what it is there for.

use alb_conf::MailProtocol;

use super::{Failed, Opened, imap, pop3, smtp};
use crate::secret::Secret;

/// An account for checks.
pub(crate) struct Account {
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Secret,
}

/// Who is named to an SMTP server.
pub(crate) struct Envelope {
    /// The sender; may be empty.
    pub sender: String,
    /// The recipient.
    pub recipient: String,
}

/// What a deep check goes by.
pub(crate) struct Deep {
    /// The account; without it nobody logs in (SMTP).
    pub account: Option<Account>,
    /// For SMTP.
    pub envelope: Envelope,
}

/// Logs in and uses the server, leaving no trace in the mailbox.
///
/// # Errors
///
/// `Rejected`: the account is not let in. Others: the server does not do its work.
pub(crate) async fn look(
    opened: &mut Opened,
    protocol: MailProtocol,
    deep: &Deep,
) -> Result<(), Failed> {
    match (protocol, &deep.account) {
        (MailProtocol::Smtp, account) => smtp::look(opened, account.as_ref(), &deep.envelope).await,
        (MailProtocol::Imap, Some(account)) => imap::look(opened, account).await,
        (MailProtocol::Pop3, Some(account)) => pop3::look(opened, account).await,
        (MailProtocol::Imap | MailProtocol::Pop3, None) => Ok(()),
    }
}
