//! The limits of a user: sessions at once, messages and recipients in a time. Those of addresses are asked at accept.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Instant;

use alb_core::limit::{Decision, KeySource, Keys, LimitSet};

use crate::client::{Client, Stop};

/// The limits of a listener that are asked when the user is known.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of sessions, once for each after its login.
    pub sessions: LimitSet,
    /// Of messages, at MAIL.
    pub messages: LimitSet,
    /// Of recipients, at RCPT.
    pub recipients: LimitSet,
}

/// Asks about a session whose user has logged in; it is counted to its end. False: it is over a limit.
///
/// # Errors
///
/// The client left while it was waiting for its turn, or the worker is leaving.
pub async fn admit_session(client: &mut Client) -> Result<bool, Stop> {
    let service = std::sync::Arc::clone(&client.service);
    let wait = match ask(client, &service.limits.sessions) {
        Decision::Refuse(_) => return Ok(false),
        Decision::Pass(permit) => {
            client.permit.join(permit);
            return Ok(true);
        }
        Decision::Delay(wait, permit) => {
            client.permit.join(permit);
            wait
        }
    };
    client.worker.stats.limit_delayed.increment();
    client.pause(wait).await.map(|()| true)
}

/// The reply to MAIL where the user, or its address, has sent too many messages. One that comes early within its `burst`
/// does not wait.
pub fn refuse_message(client: &Client) -> Option<&'static str> {
    let over = matches!(
        ask(client, &client.service.limits.messages),
        Decision::Refuse(_)
    );
    over.then_some("450 4.7.1 Too many messages, try again later")
}

/// The reply to RCPT where the user, or its address, has named too many recipients.
pub fn refuse_recipient(client: &Client) -> Option<&'static str> {
    let over = matches!(
        ask(client, &client.service.limits.recipients),
        Decision::Refuse(_)
    );
    over.then_some("450 4.7.1 Too many recipients, try again later")
}

fn ask(client: &Client, limits: &LimitSet) -> Decision {
    let decision = limits.admit(Instant::now(), client);
    let stats = &client.worker.stats;
    match &decision {
        Decision::Refuse(_) => stats.limit_refused.increment(),
        Decision::Pass(permit) | Decision::Delay(_, permit) if permit.is_excused() => {
            stats.limit_excused.increment();
        }
        _ => {}
    }
    decision
}

impl Keys for Client {
    fn client_ip(&self) -> IpAddr {
        self.info.peer.ip()
    }

    fn value(&self, source: &KeySource) -> Option<Cow<'_, [u8]>> {
        match source {
            // One count for a user, however the name is written.
            KeySource::User => {
                let login = &self.record.login;
                // Nobody but the server knows who it is that logged in by NTLM or Kerberos.
                let user = match login.user.as_str() {
                    "" => &login.user_sent,
                    user => user,
                };
                let account = match user {
                    // Nobody has logged in: mail from other servers.
                    "" if login.mechanism.is_empty() => return None,
                    // Whoever has no name that the gateway could read is counted by address, or no limit would hold.
                    "" => self.client_ip().to_canonical().to_string(),
                    user => self.service.auth.account(user),
                };
                Some(account.into_bytes().into())
            }
            KeySource::Certificate => {
                let tls = self.info.tls.as_deref()?;
                let subject = tls.peer.verified()?.sign.subject();
                Some(subject.into_bytes().into())
            }
            _ => None,
        }
    }
}
