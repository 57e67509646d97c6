//! What every phase of a request may need to know once its route is found.

use std::rc::Rc;

use crate::connection::Client;
use crate::remote::Remote;
use crate::route::Route;
use crate::worker::Current;

/// The surroundings of one request.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The connection it came over.
    pub client: &'a Rc<Client>,
    /// The tables it was routed by.
    pub pinned: &'a Current,
    /// Its route.
    pub route: &'a Route,
    /// Who it is from.
    pub remote: Remote,
}
