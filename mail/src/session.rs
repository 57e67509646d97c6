//! The way in: a connection that was accepted becomes a session of its protocol.

use std::rc::Rc;
use std::sync::Arc;

use alb_conf::{MailProtocol, TlsMode};
use alb_core::limit::Permit;
use alb_core::tls::Acceptor;
use alb_core::{ConnInfo, Socket};

use crate::backend::Backend;
use crate::client::Client;
use crate::service::Service;
use crate::worker::Worker;
use crate::{imap, pop3, relay, smtp};

/// Serves a client to the end of its connection, for which `permit` is kept. Shakes hands itself, at once or when the client
/// asks for it.
pub fn serve(
    socket: Socket,
    info: ConnInfo,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<Service>,
    worker: Rc<Worker>,
    permit: Permit,
) -> impl Future<Output = ()> {
    // A place of its own for all that is needed up to the login: it is given back then, and most sessions wait long after it.
    let login = Box::pin(log_in(socket, info, acceptor, service, worker, permit));
    async move {
        match login.await {
            None => {}
            Some(Rest::Opaque(client, backend)) => relay::run(client, *backend).await,
            Some(Rest::Framed(rest)) => rest.await,
        }
    }
}

/// What follows a login.
enum Rest {
    /// IMAP, POP3: bytes that nobody looks at.
    Opaque(Box<Client>, Box<Backend>),
    /// SMTP.
    Framed(smtp::Rest),
}

/// Serves a client up to its login; `None` if the session has ended before.
async fn log_in(
    socket: Socket,
    info: ConnInfo,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<Service>,
    worker: Rc<Worker>,
    permit: Permit,
) -> Option<Rest> {
    let at_once = service.tls_mode(info.local) == Some(TlsMode::Implicit);
    let protocol = service.protocol;
    let mut client = Client::new(socket, info, acceptor, service, worker);
    client.permit = permit;
    let client = match at_once {
        false => client,
        true => Box::pin(client.secure()).await?,
    };
    let (client, backend) = match protocol {
        MailProtocol::Imap => imap::log_in(client).await?,
        MailProtocol::Pop3 => pop3::log_in(client).await?,
        MailProtocol::Smtp => return smtp::log_in(client).await.map(Rest::Framed),
    };
    Some(Rest::Opaque(client, backend))
}
