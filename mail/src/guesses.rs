//! What rejected logins lead to: waits, and the lockout of their client. The counts are those of `[lockout]`; whoever waits
//! here holds no server.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_core::limit::lockout::{Deciding, Lockout, Rejected, Turn};

use crate::client::{Client, Stop};
use crate::sasl::{Credentials, Proof};

/// Logins of an account that is being guessed at wait as long as after so many failures of one session.
const GUESSED_AT: u32 = 3;

/// How long a login waits at first for others of its client to be decided, and at most between two looks.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_millis(640);
/// How often it looks: for some 20 seconds.
const LOOKS: u32 = 36;

/// What a login has to do before it is decided.
#[derive(Debug)]
pub enum Before {
    /// It is decided now, and counted as long as it is.
    Go(Deciding),
    /// Its client has been locked out since it connected.
    LockedOut,
    /// Too many wait already: it may be tried again later.
    Later,
}

/// Has a login wait that comes `now`, whose account is being guessed at, or whose client has many others under way. Right ones
/// wait too: nobody can tell them from guesses.
///
/// # Errors
///
/// The client left while it was waiting, or the worker is leaving.
pub async fn before(client: &mut Client, mut now: Instant) -> Result<Before, Stop> {
    let lockout = lockout(client);
    let ip = client.info.peer.ip();
    if lockout.locked(ip, now).is_some() {
        return Ok(Before::LockedOut);
    }
    let account = client.account.as_bytes();
    if !account.is_empty() && lockout.is_slow(account, ip, now) {
        match lockout.wait(GUESSED_AT) {
            None => return Ok(Before::Later),
            Some((time, _waiting)) => {
                client.pause(time).await?;
                now = Instant::now();
            }
        }
    }
    match lockout.turn(ip, now) {
        Turn::Now(deciding) => Ok(Before::Go(deciding)),
        Turn::LockedOut => Ok(Before::LockedOut),
        Turn::Later => in_turn(client, &lockout).await,
    }
}

/// Waits until so few logins of the client are being decided that it may have one more.
async fn in_turn(client: &mut Client, lockout: &Lockout) -> Result<Before, Stop> {
    let Some((_, _waiting)) = lockout.wait(1) else {
        return Ok(Before::Later);
    };
    let mut look = FIRST_LOOK;
    for _ in 0..LOOKS {
        client.pause(look).await?;
        match lockout.turn(client.info.peer.ip(), Instant::now()) {
            Turn::Now(deciding) => return Ok(Before::Go(deciding)),
            Turn::LockedOut => return Ok(Before::LockedOut),
            Turn::Later => look = (look * 2).min(LONGEST_LOOK),
        }
    }
    Ok(Before::Later)
}

/// Counts a login whose credentials were wrong. Whether its client is locked out now.
pub fn count(client: &Client, credentials: &Credentials) -> bool {
    let account = &client.account;
    let rejected = Rejected {
        client: client.info.peer.ip(),
        user: account.as_bytes(),
        secret: &proof(client, &credentials.proof),
    };
    let verdict = lockout(client).failed(&rejected, Instant::now());
    let Some(time) = verdict.locked else {
        return false;
    };
    tracing::warn!(
        client = %rejected.client, listener = %client.service.name, user = %account.escape_debug(), seconds = time.as_secs(),
        help = "it may log in again after that time; `exempt` in `[lockout]` names addresses that are never locked out",
        "client locked out: too many rejected logins"
    );
    true
}

/// Has the session of a login that was refused wait: for `time`, where whoever decided has named one, else longer after
/// each. Why the session ends instead, if it does.
///
/// # Errors
///
/// The client left while it was waiting, or the worker is leaving.
pub async fn wait(client: &mut Client, time: Option<Duration>) -> Result<Option<Stop>, Stop> {
    match lockout(client).wait(client.failures) {
        None => Ok(Some(Stop::TooManyFailures)),
        Some((usual, _waiting)) => {
            let paused = client.pause(time.unwrap_or(usual)).await;
            paused.map(|()| None)
        }
    }
}

/// The account of a login that succeeded was not being guessed at. False if its client has been locked out meanwhile: what
/// many sessions at once have found out is not told.
pub fn succeeded(client: &Client) -> bool {
    let (lockout, ip, now) = (lockout(client), client.info.peer.ip(), Instant::now());
    let free = lockout.locked(ip, now).is_none();
    if free {
        lockout.succeeded(client.account.as_bytes(), ip, now);
    }
    free
}

fn lockout(client: &Client) -> Arc<Lockout> {
    Arc::clone(&client.service.lockout)
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
