//! A real nginx with a generated configuration.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::address::Reserved;
use crate::process::Process;

/// A running nginx; dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
    reserved: Reserved,
    directory: TempDir,
}

impl Nginx {
    /// Starts nginx with these directives in its one `server` block; files for `root html;` are written with
    /// [`Nginx::publish`]. It listens on a TCP port, for HTTP/1.1 and on a unix socket.
    pub async fn start(server: &str) -> Self {
        Self::start_with("", server).await
    }

    /// The same, with directives for the `http` block besides.
    pub async fn start_with(http: &str, server: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let reserved = Reserved::v4();
        fs::create_dir(directory.path().join("html")).expect("a directory in ours");
        let config = config(directory.path(), reserved.address(), http, server);
        fs::write(directory.path().join("nginx.conf"), config).expect("a file in ours");
        // Without a master process there is no worker that outlives it.
        let mut command = Command::new("nginx");
        command
            .arg("-p")
            .arg(directory.path())
            .args(["-e", "stderr", "-c", "nginx.conf"]);
        let process = Process::start("nginx", &mut command);
        // Said after the sockets listen, before the first connection is accepted.
        process.wait_for("event method").await;
        Self {
            process,
            reserved,
            directory,
        }
    }

    /// Its TCP address.
    pub fn address(&self) -> SocketAddr {
        self.reserved.address()
    }

    /// Its unix socket, which it listens on too.
    pub fn unix_socket(&self) -> PathBuf {
        self.directory.path().join("nginx.sock")
    }

    /// Puts a file into `html`.
    pub fn publish(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.directory.path().join("html").join(name), content).expect("a file in ours");
    }

    /// The process, to be killed.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn config(directory: &Path, address: SocketAddr, http: &str, server: &str) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr notice;
         events {{ worker_connections 1024; }}
         http {{
           access_log off;
           keepalive_requests 1000000;
           client_body_temp_path temp; proxy_temp_path temp; fastcgi_temp_path temp;
           uwsgi_temp_path temp; scgi_temp_path temp;
           {http}
           map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
           server {{
             listen {address} reuseport;
             listen unix:{directory}/nginx.sock;
             {server}
           }}
         }}",
        directory = directory.display(),
    )
}
