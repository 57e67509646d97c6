//! A real name server, dnsmasq.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::address::Reserved;
use crate::process::Process;

/// A running dnsmasq; dropping it kills it. Its names are in a file that it reads again when they change.
#[derive(Debug)]
pub struct Dns {
    process: Process,
    address: Reserved,
    directory: TempDir,
}

impl Dns {
    /// Starts it with the lines of a hosts file, and more of its options.
    pub async fn start(hosts: &str, more: &[String]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let address = Reserved::v4();
        std::fs::write(directory.path().join("hosts"), hosts).expect("a file of ours");
        let mut command = Command::new("dnsmasq");
        command
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
            ])
            .args([
                "--log-facility=-",
                "--pid-file=",
                "--user=root",
                "--local=/test/",
                "--local-ttl=1",
            ])
            .args(["--bind-interfaces", "--listen-address=127.0.0.1"])
            .arg(format!("--port={}", address.address().port()))
            .arg(format!(
                "--addn-hosts={}",
                directory.path().join("hosts").display()
            ))
            .args(more);
        let process = Process::start("dnsmasq", &mut command);
        process.wait_for("started").await;
        Self {
            process,
            address,
            directory,
        }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address.address()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Gives it other lines of a hosts file.
    pub fn tell(&self, hosts: &str) {
        let path: &Path = self.directory.path();
        std::fs::write(path.join("hosts"), hosts).expect("a file of ours");
        self.process.signal(Signal::SIGHUP);
    }
}
