//! From credentials to a server that has taken them: who decides, where the session goes, what is said there. While that
//! is under way nothing of the client is answered, but its leaving is noticed.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_conf::MailLogin;
use alb_core::ConnInfo;
use alb_core::limit::lockout::Deciding;
use zeroize::Zeroize;

use crate::audit::{self, LoginResult};
use crate::auth::{self, Accepted, Attempt, Decision};
use crate::backend::{self, Backend, Failed, Pending, Step, Visit};
use crate::capabilities::Offers;
use crate::client::{AHEAD, Client, Stop};
use crate::client_name::ClientName;
use crate::guesses::{self, Before};
use crate::limits;
use crate::proving::ask;
use crate::sasl::{self, Credentials, Failure, Proof};
use crate::service::{Pool, Service};
use crate::wire::Wire;
use crate::worker::Worker;

/// A login as the session asks for it.
pub struct Asked<'a> {
    /// What the client has shown.
    pub credentials: &'a Credentials,
    /// The mechanism, for the log.
    pub mechanism: &'static str,
    /// SMTP: the client's name.
    pub helo: &'a str,
    /// IMAP: what the client said of itself.
    pub id: &'a [(String, Option<String>)],
    /// POP3: commands to repeat before the login.
    pub before: &'a [String],
    /// What the client was promised.
    pub promised: &'a Offers,
    /// Whether somebody is being shown the credentials, whose answer has to be heard.
    pub shown: Cell<bool>,
}

/// How a login ended.
pub enum Outcome {
    /// The session goes on at this server.
    In(Box<Backend>),
    /// The client is turned away.
    Rejected(Rejection),
    /// Nobody could say; it may be tried again later.
    Unavailable,
    /// The client did not go on with what it had begun.
    Broken(Failure),
    /// The user has too many sessions.
    Busy,
}

/// What a client that is turned away is told.
#[derive(Debug, Default)]
pub struct Rejection {
    /// SMTP: the code to answer with; empty for the usual one.
    pub code: String,
    /// The words, one line; empty for the usual ones.
    pub text: String,
    /// Why the session ends with the answer, if it does.
    pub close: Option<Stop>,
    /// How long the answer waits, where whoever decided has said so.
    wait: Option<Duration>,
    /// Whether name or proof were wrong, which counts as a guess.
    is_guess: bool,
}

/// Logs a client in.
///
/// # Errors
///
/// The client left while it was under way, or the worker is leaving.
pub async fn log_in(client: &mut Client, asked: &Asked<'_>) -> Result<Outcome, Stop> {
    client.attempts += 1;
    client.record.login = audit::Login {
        mechanism: asked.mechanism,
        source: client.service.auth.source(),
        ..audit::Login::default()
    };
    client.goes_by(asked.credentials.user.clone());
    let begun = Instant::now();
    let mut left = false;
    let (deciding, result) = match guesses::before(client, begun).await? {
        Before::Go(deciding) => (Some(deciding), attempt(client, asked, &mut left).await),
        Before::LockedOut => (None, Err(Turned::locked_out())),
        Before::Later => (None, Err(Turned::Later("too many logins wait".to_owned()))),
    };
    client.record.login.took = begun.elapsed();
    let outcome = match result {
        Ok(backend) => admitted(client, backend).await?,
        Err(Turned::Away(rejection)) => rejected(client, asked, rejection, deciding).await?,
        Err(Turned::Later(why)) => {
            tracing::warn!(client = %client.info.peer, listener = %client.service.name, "no login: {why}");
            Outcome::Unavailable
        }
        Err(Turned::Broken(failure)) => return Ok(Outcome::Broken(failure)),
        Err(Turned::Ended(stop)) => return Err(stop),
    };
    client.record.login.result = outcome.audited();
    match left {
        true => Err(Stop::Closed),
        false => Ok(outcome),
    }
}

/// A server has taken the login: the session goes there, if the user may have one more, and if nobody has found the password
/// out by guessing.
async fn admitted(client: &mut Client, backend: Box<Backend>) -> Result<Outcome, Stop> {
    if !guesses::succeeded(client) {
        return Ok(Outcome::Rejected(Rejection::locked_out()));
    }
    if !limits::admit_session(client).await? {
        return Ok(Outcome::Busy);
    }
    client.record.server = Some(backend.audited.clone());
    Ok(Outcome::In(backend))
}

/// Counts a login that was rejected before anything else is waited for, and has guesses wait.
async fn rejected(
    client: &mut Client,
    asked: &Asked<'_>,
    mut rejection: Rejection,
    deciding: Option<Deciding>,
) -> Result<Outcome, Stop> {
    client.failures += 1;
    client.record.failures = client.failures;
    client.record.login.result = Some(LoginResult::Rejected);
    if rejection.is_guess && guesses::count(client, asked.credentials) {
        // In the same words as to one who has guessed right, but too late.
        return Ok(Outcome::Rejected(Rejection::locked_out()));
    }
    drop(deciding);
    if rejection.is_guess || rejection.wait.is_some() {
        let stop = guesses::wait(client, rejection.wait).await?;
        rejection.close = rejection.close.or(stop);
    }
    Ok(Outcome::Rejected(rejection))
}

/// Has the login decided and taken to a server. A client that leaves when its credentials have been shown to somebody is no
/// reason to break off: if it has guessed, that has to be counted.
async fn attempt(
    client: &mut Client,
    asked: &Asked<'_>,
    left: &mut bool,
) -> Result<Box<Backend>, Turned> {
    let number = client.attempts;
    let Client {
        wire,
        info,
        name,
        service,
        worker,
        record,
        ..
    } = &mut *client;
    let deciding = Box::pin(decide_and_visit(
        service, info, worker, name, asked, number, record,
    ));
    let mut step = to_its_end(wire, left, &asked.shown, deciding).await??;
    loop {
        match step {
            Step::In(backend) => return Ok(backend),
            Step::Asks(pending) => step = Box::pin(carry(client, asked, *pending, left)).await?,
        }
    }
}

/// Carries what a server asks to the client, and the answer back.
async fn carry(
    client: &mut Client,
    asked: &Asked<'_>,
    pending: Pending,
    left: &mut bool,
) -> Result<Step, Turned> {
    if let Proof::Token { .. } = asked.credentials.proof {
        // With a token it asks nothing: it says why that is of no use, whatever the client answers (RFC 7628 § 3.2.2).
        guesses::count(client, asked.credentials);
    }
    let mut line = ask(client, pending.challenge()).await?;
    if let Err(failure) = sasl::check_line(&line) {
        return Err(Turned::Broken(failure));
    }
    if let Some(user) = sasl::ntlm::user_in_line(&line) {
        client.goes_by(user);
    }
    let answered = pending.answer(&line);
    let step = to_its_end(&mut client.wire, left, &asked.shown, answered).await;
    line.as_mut().zeroize();
    Ok(step??)
}

/// Waits for what is under way. If the client leaves meanwhile, only what has been shown to somebody is waited for.
async fn to_its_end<T>(
    wire: &mut Wire,
    left: &mut bool,
    shown: &Cell<bool>,
    under_way: impl Future<Output = T>,
) -> Result<T, Stop> {
    let mut under_way = pin!(under_way);
    tokio::select! {
        biased;
        done = &mut under_way => return Ok(done),
        () = wire.closed(AHEAD) => *left = true,
    }
    match shown.get() {
        true => Ok(under_way.await),
        false => Err(Stop::Closed),
    }
}

/// Why there is no login.
enum Turned {
    Away(Rejection),
    Later(String),
    Broken(Failure),
    Ended(Stop),
}

impl Turned {
    fn locked_out() -> Self {
        Turned::Away(Rejection::locked_out())
    }
}

impl Rejection {
    fn locked_out() -> Self {
        Rejection {
            close: Some(Stop::LockedOut),
            ..Rejection::default()
        }
    }
}

impl Outcome {
    /// The word for the log; none for a login that did not come to its end.
    fn audited(&self) -> Option<LoginResult> {
        match self {
            Outcome::In(_) => Some(LoginResult::Accepted),
            Outcome::Rejected(_) => Some(LoginResult::Rejected),
            Outcome::Unavailable => Some(LoginResult::Unavailable),
            Outcome::Busy => Some(LoginResult::OverLimit),
            Outcome::Broken(_) => None,
        }
    }
}

impl From<Stop> for Turned {
    fn from(stop: Stop) -> Self {
        Turned::Ended(stop)
    }
}

impl From<Failed> for Turned {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Rejected(refusal) => Turned::Away(Rejection {
                is_guess: refusal.is_of_credentials(),
                code: refusal.code,
                text: refusal.text,
                ..Rejection::default()
            }),
            Failed::Unreachable(why)
            | Failed::Unfit(why)
            | Failed::Declined(why)
            | Failed::Unavailable(why) => Turned::Later(why),
        }
    }
}

async fn decide_and_visit(
    service: &Arc<Service>,
    info: &ConnInfo,
    worker: &Worker,
    name: &ClientName,
    asked: &Asked<'_>,
    number: u32,
    record: &mut audit::Record,
) -> Result<Step, Turned> {
    let attempt = Attempt {
        protocol: service.protocol,
        conn: info,
        client_name: name,
        number,
        what: auth::Asked::Login(asked.credentials),
    };
    asked.shown.set(service.auth.is_ours());
    let accepted = match service.auth.decide(&attempt).await {
        Decision::Accept(accepted) => accepted,
        Decision::Unavailable { reason } => return Err(Turned::Later(reason)),
        Decision::Refuse(refusal) => {
            return Err(Turned::Away(Rejection {
                code: refusal.smtp_code.unwrap_or_default(),
                text: refusal.text.unwrap_or_default(),
                close: refusal.close.then_some(Stop::Dismissed),
                wait: (!refusal.wait.is_zero()).then_some(refusal.wait),
                is_guess: refusal.rejected,
            }));
        }
    };
    asked.shown.set(false);
    record.login.user.clone_from(&accepted.user);
    record.login.source = accepted.source;
    let pool = pool_of(service, &accepted)?;
    let visit = Visit {
        service,
        info,
        user: Some(&accepted.login),
        verified: &accepted.user,
        authzid: accepted.authzid.as_deref().unwrap_or_default(),
        server: accepted.server,
        proof: proof_of(&accepted, &asked.credentials.proof),
        helo: asked.helo,
        name,
        id: asked.id,
        before: asked.before,
        promised: asked.promised,
        shown: &asked.shown,
    };
    Ok(backend::log_in(&visit, pool, worker).await?)
}

/// The servers of a user. Those that take the gateway's word for who it is are not for users that nobody has verified.
fn pool_of<'s>(service: &'s Service, accepted: &Accepted) -> Result<&'s Arc<Pool>, Turned> {
    let pool = match &accepted.upstream {
        None => &service.pool,
        Some(name) => {
            let unknown = || Turned::Later(format!("there is no upstream `{name}`"));
            service.pools.get(&**name).ok_or_else(unknown)?
        }
    };
    let unverified = accepted.source == auth::PASSTHROUGH || accepted.user.is_empty();
    match *pool.plan.login {
        MailLogin::Master | MailLogin::Xclient | MailLogin::None if unverified => Err(Turned::Later(
            "nobody has verified the user, and the servers would not; help: name a `[mail_auth]` with `http`, `file` or `ldap`"
                .to_owned(),
        )),
        _ => Ok(pool),
    }
}

/// What a server is shown: the password that whoever decided gave, or what the client has shown. Digests cannot be passed
/// on: they answer our challenge.
fn proof_of<'a>(accepted: &'a Accepted, shown: &'a Proof) -> backend::Proof<'a> {
    match (&accepted.password, shown) {
        (Some(password), _) | (None, Proof::Password(password)) => {
            backend::Proof::Password(password)
        }
        (None, Proof::Token { mechanism, message })
        | (
            None,
            Proof::PassThrough {
                mechanism,
                initial: message,
                ..
            },
        ) => backend::Proof::Message(*mechanism, message),
        _ => backend::Proof::None,
    }
}
