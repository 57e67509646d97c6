//! MX mode: which server a recipient's message goes to, as its domain and whoever decides say, and a session there.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;

use super::parameters::understood;
use crate::auth::{Asked, Attempt, Decision, Envelope, Refusal};
use crate::backend::{self, Backend, Proof, Step, Visit};
use crate::capabilities::Offers;
use crate::client::{AHEAD, Client, Stop};
use crate::service::Pool;

const UNREACHABLE: &str = "451 4.4.1 No mail server can be reached, try again later";

/// Where a message goes.
#[derive(Clone)]
pub(super) struct Route {
    /// Where its first recipient's domain leads. Later recipients are compared with that, whoever has decided.
    pub(super) domain: Arc<Pool>,
    /// The servers.
    pool: Arc<Pool>,
    /// The one of them that whoever decides has named.
    server: Option<SocketAddr>,
}

/// What is known of a message before its server is.
pub(super) struct Said<'s> {
    /// The name that the client gave.
    pub(super) helo: &'s str,
    /// The line of MAIL.
    pub(super) mail: &'s [u8],
    /// What the client was promised.
    pub(super) promised: &'s Offers,
}

/// Why a recipient has no server.
pub(super) struct No {
    /// What the client is told.
    pub(super) reply: String,
    /// Whether its session ends with that.
    pub(super) close: bool,
}

impl Route {
    /// Whether both lead to the same place.
    pub(super) fn is(&self, other: &Route) -> bool {
        Arc::ptr_eq(&self.domain, &other.domain)
            && Arc::ptr_eq(&self.pool, &other.pool)
            && self.server == other.server
    }
}

impl No {
    /// For now there is none.
    fn later(client: &Client, why: &str) -> Self {
        tracing::warn!(client = %client.info.peer, listener = %client.service.name, "no server for a recipient: {why}");
        No {
            reply: UNREACHABLE.to_owned(),
            close: false,
        }
    }

    fn away(refusal: &Refusal) -> Self {
        let code = refusal.smtp_code.as_deref().unwrap_or("550 5.7.1");
        let text = refusal.text.as_deref().unwrap_or("Relay access denied");
        No {
            reply: format!("{code} {text}"),
            close: refusal.close,
        }
    }
}

impl Said<'_> {
    /// Asks where a recipient's message goes; `domain` is where its domain leads.
    pub(super) async fn ask(
        &self,
        client: &mut Client,
        domain: &Arc<Pool>,
        rcpt: &[u8],
    ) -> Result<Result<Route, No>, Stop> {
        client.attempts += 1;
        let Client {
            wire,
            info,
            name,
            service,
            attempts,
            ..
        } = &mut *client;
        let attempt = Attempt {
            protocol: service.protocol,
            conn: info,
            client_name: name,
            number: *attempts,
            what: Asked::Relay(Envelope {
                helo: self.helo.as_bytes(),
                mail: self.mail,
                rcpt,
            }),
        };
        let decision = tokio::select! {
            biased;
            decision = service.auth.decide(&attempt) => decision,
            () = wire.closed(AHEAD) => return Err(Stop::Closed),
        };
        match decision {
            Decision::Accept(accepted) => {
                let named = accepted.upstream.as_deref();
                let pool = named.and_then(|name| client.service.pools.get(name));
                Ok(Ok(Route {
                    domain: Arc::clone(domain),
                    pool: Arc::clone(pool.unwrap_or(domain)),
                    server: accepted.server,
                }))
            }
            Decision::Refuse(refusal) => {
                client.pause(refusal.wait).await?;
                Ok(Err(No::away(&refusal)))
            }
            Decision::Unavailable { reason } => Ok(Err(No::later(client, &reason))),
        }
    }

    /// Opens a session there.
    pub(super) async fn open(
        &self,
        client: &mut Client,
        route: &Route,
        rcpt: &[u8],
    ) -> Result<Result<Box<Backend>, No>, Stop> {
        let Client {
            wire,
            info,
            name,
            service,
            worker,
            ..
        } = &mut *client;
        let visit = Visit {
            service,
            info,
            user: None,
            verified: "",
            authzid: "",
            server: route.server,
            proof: Proof::None,
            helo: self.helo,
            name,
            id: &[],
            before: &[],
            promised: self.promised,
            shown: &Cell::default(),
        };
        let opened = tokio::select! {
            biased;
            opened = backend::log_in(&visit, &route.pool, worker) => opened,
            () = wire.closed(AHEAD) => return Err(Stop::Closed),
        };
        let why = match opened {
            Ok(Step::In(backend)) => {
                // Once it has heard of the client it may offer other things than before.
                let offers = service.passed_on(&backend.offers);
                if [self.mail, rcpt]
                    .iter()
                    .all(|line| understood(line, &offers))
                {
                    return Ok(Ok(backend));
                }
                "it does not offer what the client asks for".to_owned()
            }
            Ok(Step::Asks(_)) => "it wants a login".to_owned(),
            Err(failed) => format!("{failed:?}"),
        };
        Ok(Err(No::later(client, &why)))
    }
}
