//! Binding the addresses of a configuration: all or none, every failure told.

use std::collections::BTreeSet;
use std::io;

use alb_core::endpoint::{Bound, Endpoint};

/// New sockets: for each address, one per worker.
#[derive(Default)]
pub struct Sockets(Vec<(Endpoint, Vec<Bound>)>);

/// The addresses that could not be bound, each with the reason and the remedy.
pub struct BindError(Vec<String>);

impl Sockets {
    /// Binds every address of `wanted` that is not yet `bound`.
    pub fn bind(
        wanted: &BTreeSet<Endpoint>,
        bound: &BTreeSet<Endpoint>,
        workers: usize,
    ) -> Result<Self, BindError> {
        let (mut sockets, mut failures) = (Sockets::default(), Vec::new());
        for endpoint in wanted.difference(bound) {
            // Our own sockets on the port share it anyway.
            let free = match on_port_of(endpoint, bound) {
                Some(_) => Ok(()),
                None => endpoint.probe(),
            };
            match free.and_then(|()| endpoint.bind(workers)) {
                Ok(of_workers) => sockets.0.push((*endpoint, of_workers)),
                Err(error) => failures.push(explain(*endpoint, &error, bound)),
            }
        }
        match failures.is_empty() {
            true => Ok(sockets),
            false => Err(BindError(failures)),
        }
    }

    /// What they were bound for.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        self.0.iter().map(|(endpoint, _)| *endpoint)
    }

    /// Takes the sockets of one worker.
    pub fn take_for_one(&mut self) -> Vec<(Endpoint, Bound)> {
        let take = |(endpoint, sockets): &mut (Endpoint, Vec<Bound>)| {
            sockets.pop().map(|socket| (*endpoint, socket))
        };
        self.0.iter_mut().filter_map(take).collect()
    }
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// One of our own on the same port.
fn on_port_of<'b>(endpoint: &Endpoint, bound: &'b BTreeSet<Endpoint>) -> Option<&'b Endpoint> {
    let (transport, port) = (endpoint.transport, endpoint.address.port());
    let same = |other: &&Endpoint| other.transport == transport && other.address.port() == port;
    bound.iter().find(same)
}

fn explain(endpoint: Endpoint, error: &io::Error, bound: &BTreeSet<Endpoint>) -> String {
    let ours = on_port_of(&endpoint, bound);
    let help = match (error.kind(), ours) {
        (io::ErrorKind::AddrInUse, Some(other)) => {
            format!(
                "this daemon has {other}; restart it, or take that address away in a reload of its own first"
            )
        }
        (io::ErrorKind::AddrInUse, None) => {
            format!(
                "see who has it with `ss -lntup 'sport = :{}'`",
                endpoint.address.port()
            )
        }
        (io::ErrorKind::PermissionDenied, _) => {
            "start alb as root or with CAP_NET_BIND_SERVICE, or choose a port above 1023".to_owned()
        }
        (io::ErrorKind::AddrNotAvailable, _) => {
            "give this machine the address, or listen on `0.0.0.0` or `[::]`".to_owned()
        }
        _ => "check the address".to_owned(),
    };
    format!("cannot listen on {endpoint}: {error}\nhelp: {help}")
}
