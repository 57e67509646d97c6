//! A real HAProxy in front of `alb`: the program that PROXY headers come from.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::Command;

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use crate::process::Process;

/// A running HAProxy in TCP mode; dropping it kills it.
#[derive(Debug)]
pub struct Haproxy {
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Haproxy {
    /// Starts HAProxy on any port of `on`, in front of `server`. `bind` and `to` are further words of its `bind` and
    /// `server` lines, such as `ssl crt FILE` and `send-proxy-v2`.
    pub fn start(on: SocketAddr, bind: &str, server: SocketAddr, to: &str) -> Self {
        // Handed over as it listens: who connects before HAProxy is there waits in the queue.
        let socket = listening(on);
        let address = socket.local_addr().expect("its address");
        let address = address.as_socket().expect("an IP address");
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = format!(
            "global\n  log stderr format raw local0\n\
             defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n\
             listen front\n  bind fd@{} {bind}\n  unique-id-format %{{+X}}o%ci:%cp\n  server alb {server} {to}\n",
            socket.as_raw_fd()
        );
        let file = directory.path().join("haproxy.cfg");
        fs::write(&file, config).expect("a file of ours");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file);
        Self {
            address,
            _process: Process::start("haproxy", &mut command),
            _directory: directory,
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn listening(on: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::for_address(on), Type::STREAM, None).expect("a socket");
    socket.bind(&on.into()).expect("a loopback address");
    socket.listen(128).expect("a listening socket");
    socket.set_cloexec(false).expect("an option");
    socket
}
