//! The connections of a running program, looked at from outside.

use std::fs;
use std::net::SocketAddr;

use nix::unistd;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

/// Every TCP connection of a process: who is at its other end, and whether small writes leave at once (TCP_NODELAY).
pub fn connections(pid: unistd::Pid) -> Vec<(SocketAddr, bool)> {
    let id = Pid::from_raw(pid.as_raw()).expect("a process id");
    let process = pidfd_open(id, PidfdFlags::empty()).expect("a process of ours");
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of ours");
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let connection = |number| {
        // It may have closed this one meanwhile, and most are no sockets.
        let copy = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()).ok()?;
        let socket = Socket::from(copy);
        let peer = socket.peer_addr().ok()?.as_socket()?;
        Some((peer, socket.tcp_nodelay().ok()?))
    };
    numbers.filter_map(connection).collect()
}
