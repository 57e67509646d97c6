//! From credentials to a server that has taken them: who decides, where the session goes, what is said there. While that
//! is under way nothing of the client is answered, but its leaving is noticed.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use alb_conf::{MailLogin, MailProtocol};
use alb_core::ConnInfo;
use bytes::BytesMut;
use zeroize::Zeroize;

use crate::audit::{self, LoginResult};
use crate::auth::{self, Accepted, Attempt, Decision};
use crate::backend::{self, Backend, Failed, Pending, Step, Visit};
use crate::capabilities::Offers;
use crate::client::{AHEAD, Client, Stop};
use crate::client_name::ClientName;
use crate::guesses::{self, Before};
use crate::limits;
use crate::sasl::{self, Challenge, Credentials, Exchange, Failure, MAX_LINE, Mechanism, Proof};
use crate::service::{Pool, Service};
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
}

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
            Ok(sasl::Step::Done(credentials)) => return Ok(Ok(credentials)),
            Err(failure) => return Ok(Err(failure)),
            Ok(sasl::Step::Continue(challenge)) => {
                let mut line = ask(client, challenge.as_bytes()).await?;
                step = exchange.respond(&line);
                line.as_mut().zeroize();
            }
        }
    }
}

/// Asks the client something within an exchange, and reads its answer.
async fn ask(client: &mut Client, challenge: &[u8]) -> Result<BytesMut, Stop> {
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

/// Logs a client in.
///
/// # Errors
///
/// The client left while it was under way.
pub async fn log_in(client: &mut Client, asked: &Asked<'_>) -> Result<Outcome, Stop> {
    client.attempts += 1;
    client.record.login = audit::Login {
        mechanism: asked.mechanism,
        user_sent: asked.credentials.user.clone(),
        source: client.service.auth.source(),
        ..audit::Login::default()
    };
    let begun = Instant::now();
    let result = attempt(client, asked).await?;
    client.record.login.took = begun.elapsed();
    let (outcome, result) = match result {
        Ok(backend) => admitted(client, backend).await?,
        Err(Turned::Away(rejection, wrong)) => {
            client.record.login.result = Some(LoginResult::Rejected);
            let rejection = rejected(client, asked, rejection, wrong).await?;
            (Outcome::Rejected(rejection), LoginResult::Rejected)
        }
        Err(Turned::Later(why)) => {
            tracing::warn!(client = %client.info.peer, listener = %client.service.name, "no login: {why}");
            (Outcome::Unavailable, LoginResult::Unavailable)
        }
        Err(Turned::Broken(failure)) => return Ok(Outcome::Broken(failure)),
    };
    client.record.login.result = Some(result);
    Ok(outcome)
}

/// A server has taken the login: the session goes there, if the user may have one more.
async fn admitted(
    client: &mut Client,
    backend: Box<Backend>,
) -> Result<(Outcome, LoginResult), Stop> {
    guesses::none(client);
    if !limits::admit_session(client).await? {
        return Ok((Outcome::Busy, LoginResult::OverLimit));
    }
    client.record.server = Some(backend.audited.clone());
    Ok((Outcome::In(backend), LoginResult::Accepted))
}

/// Counts a login that was rejected, and has guesses wait.
async fn rejected(
    client: &mut Client,
    asked: &Asked<'_>,
    mut rejection: Rejection,
    wrong: Wrong,
) -> Result<Rejection, Stop> {
    client.failures += 1;
    if wrong != Wrong::Other {
        let waited = wrong == Wrong::Waited;
        let stop = guesses::after(client, asked.credentials, waited).await?;
        rejection.close = rejection.close.or(stop);
    }
    Ok(rejection)
}

/// Has the login decided and taken to a server, unless the client leaves in between.
async fn attempt(
    client: &mut Client,
    asked: &Asked<'_>,
) -> Result<Result<Box<Backend>, Turned>, Stop> {
    match guesses::before(client).await? {
        Before::Go => {}
        Before::LockedOut => {
            let rejection = Rejection {
                close: Some(Stop::LockedOut),
                ..Rejection::default()
            };
            return Ok(Err(Turned::Away(rejection, Wrong::Other)));
        }
        Before::Later => return Ok(Err(Turned::Later("too many logins wait".to_owned()))),
    }
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
    let mut result = tokio::select! {
        biased;
        result = Box::pin(decide_and_visit(service, info, worker, name, asked, number, record)) => result,
        () = wire.closed(AHEAD) => return Err(Stop::Closed),
    };
    loop {
        match result {
            Ok(Step::In(backend)) => return Ok(Ok(backend)),
            Ok(Step::Asks(pending)) => result = Box::pin(carry(client, *pending)).await?,
            Err(turned) => return Ok(Err(turned)),
        }
    }
}

/// Carries what a server asks to the client, and the answer back.
async fn carry(client: &mut Client, pending: Pending) -> Result<Result<Step, Turned>, Stop> {
    let mut line = ask(client, pending.challenge()).await?;
    if let Err(failure) = sasl::check_line(&line) {
        return Ok(Err(Turned::Broken(failure)));
    }
    if let Some(user) = sasl::ntlm::user_in_line(&line) {
        client.record.login.user_sent = user;
    }
    let wire = &mut client.wire;
    let step = tokio::select! {
        biased;
        step = pending.answer(&line) => step,
        () = wire.closed(AHEAD) => return Err(Stop::Closed),
    };
    line.as_mut().zeroize();
    Ok(step.map_err(Turned::from))
}

/// Why there is no login.
enum Turned {
    Away(Rejection, Wrong),
    Later(String),
    Broken(Failure),
}

impl From<Failed> for Turned {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Rejected(refusal) => {
                let wrong = match refusal.is_of_credentials() {
                    true => Wrong::Credentials,
                    false => Wrong::Other,
                };
                let rejection = Rejection {
                    code: refusal.code,
                    text: refusal.text,
                    close: None,
                };
                Turned::Away(rejection, wrong)
            }
            Failed::Unreachable(why)
            | Failed::Unfit(why)
            | Failed::Declined(why)
            | Failed::Unavailable(why) => Turned::Later(why),
        }
    }
}

/// What was wrong with a login that was rejected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// Name or proof: it counts as a guess.
    Credentials,
    /// Name or proof, and it has been kept waiting for that.
    Waited,
    /// Something else.
    Other,
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
    let accepted = match service.auth.decide(&attempt).await {
        Decision::Accept(accepted) => accepted,
        Decision::Unavailable { reason } => return Err(Turned::Later(reason)),
        Decision::Refuse(refusal) => {
            tokio::time::sleep(refusal.wait).await;
            let wrong = match (refusal.rejected, refusal.wait.is_zero()) {
                (true, true) => Wrong::Credentials,
                (true, false) => Wrong::Waited,
                (false, _) => Wrong::Other,
            };
            let rejection = Rejection {
                code: refusal.smtp_code.unwrap_or_default(),
                text: refusal.text.unwrap_or_default(),
                close: refusal.close.then_some(Stop::Quit),
            };
            return Err(Turned::Away(rejection, wrong));
        }
    };
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
