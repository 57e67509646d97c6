//! What rejected logins lead to: waits, and the lockout of their client. The counts are those of `[lockout]`; whoever waits
//! here holds no server.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use alb_core::limit::lockout::{Lockout, Rejected};

use crate::client::{Client, Stop};
use crate::sasl::{Credentials, Proof};

/// Logins of an account that is being guessed at wait as long as after so many failures of one session.
const GUESSED_AT: u32 = 3;

/// What a login has to do before it is decided.
#[derive(Debug, PartialEq, Eq)]
pub enum Before {
    /// It is decided now.
    Go,
    /// Its client has been locked out since it connected.
    LockedOut,
    /// Too many wait already: it may be tried again later.
    Later,
}

/// Has a login wait whose account is being guessed at. Right ones wait too: nobody can tell them from guesses.
///
/// # Errors
///
/// The client left while it was waiting, or the worker is leaving.
pub async fn before(client: &mut Client) -> Result<Before, Stop> {
    let lockout = lockout(client);
    let (ip, now) = (client.info.peer.ip(), Instant::now());
    if lockout.locked(ip, now).is_some() {
        return Ok(Before::LockedOut);
    }
    let account = account(client);
    if account.is_empty() || !lockout.is_slow(account.as_bytes(), ip, now) {
        return Ok(Before::Go);
    }
    match lockout.wait(GUESSED_AT) {
        None => Ok(Before::Later),
        Some((time, _waiting)) => client.pause(time).await.map(|()| Before::Go),
    }
}

/// Counts a login whose credentials were wrong; has its session wait unless it has already (`waited`). Why the session ends,
/// if it does.
///
/// # Errors
///
/// The client left while it was waiting, or the worker is leaving.
pub async fn after(
    client: &mut Client,
    credentials: &Credentials,
    waited: bool,
) -> Result<Option<Stop>, Stop> {
    let lockout = lockout(client);
    let account = account(client);
    let rejected = Rejected {
        client: client.info.peer.ip(),
        user: account.as_bytes(),
        secret: &proof(client, &credentials.proof),
    };
    let verdict = lockout.failed(&rejected, Instant::now());
    if let Some(time) = verdict.locked {
        tracing::warn!(
            client = %rejected.client, listener = %client.service.name, user = %account.escape_debug(), seconds = time.as_secs(),
            help = "it may log in again after that time; `exempt` in `[lockout]` names addresses that are never locked out",
            "client locked out: too many rejected logins"
        );
        return Ok(Some(Stop::LockedOut));
    }
    if waited {
        return Ok(None);
    }
    match lockout.wait(client.failures) {
        None => Ok(Some(Stop::TooManyFailures)),
        Some((time, _waiting)) => client.pause(time).await.map(|()| None),
    }
}

/// The account of a login that succeeded was not being guessed at.
pub fn none(client: &Client) {
    let account = account(client);
    lockout(client).succeeded(account.as_bytes(), client.info.peer.ip(), Instant::now());
}

fn lockout(client: &Client) -> Arc<Lockout> {
    Arc::clone(&client.service.lockout)
}

fn account(client: &Client) -> String {
    client.service.auth.account(&client.record.login.user_sent)
}

/// What repeats when a device sends an old password again and again.
fn proof<'p>(client: &Client, proof: &'p Proof) -> Cow<'p, [u8]> {
    match proof {
        Proof::Password(secret)
        | Proof::Token {
            message: secret, ..
        }
        | Proof::Apop { digest: secret, .. }
        | Proof::CramMd5 { digest: secret, .. } => secret.as_bytes().into(),
        Proof::Certificate => b"".into(),
        // Their first messages are alike whatever the password; each counts.
        Proof::PassThrough { .. } => format!("{}/{}", client.info.id, client.attempts)
            .into_bytes()
            .into(),
    }
}
