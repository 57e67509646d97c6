//! Binding the addresses of a configuration: all or none, every failure told.

use std::collections::BTreeSet;
use std::io;
use std::net::{SocketAddr, TcpListener};

use alb_core::listener;

/// New sockets: for each address, one per worker.
#[derive(Default)]
pub struct Sockets(Vec<(SocketAddr, Vec<TcpListener>)>);

/// The addresses that could not be bound, each with the reason and the remedy.
pub struct BindError(Vec<String>);

impl Sockets {
    /// Binds every address of `wanted` that is not yet `bound`.
    pub fn bind(
        wanted: &BTreeSet<SocketAddr>,
        bound: &BTreeSet<SocketAddr>,
        workers: usize,
    ) -> Result<Self, BindError> {
        let (mut sockets, mut failures) = (Sockets::default(), Vec::new());
        for address in wanted.difference(bound) {
            // Our own sockets on the port share it anyway.
            let ours = bound.iter().any(|other| other.port() == address.port());
            let free = if ours {
                Ok(())
            } else {
                listener::probe(*address)
            };
            match free.and_then(|()| listener::bind(*address, workers)) {
                Ok(of_workers) => sockets.0.push((*address, of_workers)),
                Err(error) => failures.push(explain(*address, &error, bound)),
            }
        }
        match failures.is_empty() {
            true => Ok(sockets),
            false => Err(BindError(failures)),
        }
    }

    /// The addresses they were bound for.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(address, _)| *address)
    }

    /// Takes the sockets of one worker.
    pub fn take_for_one(&mut self) -> Vec<(SocketAddr, TcpListener)> {
        let take = |(address, sockets): &mut (SocketAddr, Vec<TcpListener>)| {
            sockets.pop().map(|socket| (*address, socket))
        };
        self.0.iter_mut().filter_map(take).collect()
    }
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

fn explain(address: SocketAddr, error: &io::Error, bound: &BTreeSet<SocketAddr>) -> String {
    let ours = bound.iter().find(|other| other.port() == address.port());
    let help = match (error.kind(), ours) {
        (io::ErrorKind::AddrInUse, Some(other)) => {
            format!(
                "this daemon has {other}; restart it, or take that address away in a reload of its own first"
            )
        }
        (io::ErrorKind::AddrInUse, None) => {
            format!(
                "see who has it with `ss -ltnp 'sport = :{}'`",
                address.port()
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
    format!("cannot listen on {address}: {error}\nhelp: {help}")
}
