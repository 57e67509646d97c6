//! The way in: a connection that was accepted becomes a session of its protocol.

use std::rc::Rc;
use std::sync::Arc;

use alb_conf::{MailProtocol, TlsMode};
use alb_core::tls::Acceptor;
use alb_core::{ConnInfo, Socket};

use alb_core::limit::Permit;

use crate::client::Client;
use crate::service::Service;
use crate::worker::Worker;
use crate::{imap, pop3, smtp};

/// Serves a client to the end of its connection, for which `permit` is kept. Shakes hands itself, at once or when the client asks for it.
pub async fn serve(
    socket: Socket,
    info: ConnInfo,
    acceptor: Option<Arc<Acceptor>>,
    service: Arc<Service>,
    worker: Rc<Worker>,
    permit: Permit,
) {
    let at_once = service.tls_mode(info.local) == Some(TlsMode::Implicit);
    let protocol = service.protocol;
    let mut client = Client::new(socket, info, acceptor, service, worker);
    client.permit = permit;
    let client = match at_once {
        false => client,
        true => match Box::pin(client.secure()).await {
            Some(secured) => secured,
            None => return,
        },
    };
    match protocol {
        MailProtocol::Imap => imap::serve(client).await,
        MailProtocol::Pop3 => pop3::serve(client).await,
        MailProtocol::Smtp => smtp::serve(client).await,
    }
}
