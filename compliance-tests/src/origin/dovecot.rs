//! A real Dovecot: IMAP, POP3 and submission, with users of its own in a directory of its own.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::address::Reserved;
use crate::pki::Pki;
use crate::process::Process;

/// The password of every user; the master user `gateway` has `master`.
pub const PASSWORD: &str = "se cret";

/// A running Dovecot; dropping it kills it. It knows `alice`, `bob` and `müller`, trusts who comes from 127.0.0.1 to say who the
/// client is, and speaks TLS by the certificate `server`.
#[derive(Debug)]
pub struct Dovecot {
    process: Process,
    directory: TempDir,
    imap: Reserved,
    imaps: Reserved,
    pop3: Reserved,
    imap_proxied: Reserved,
}

impl Dovecot {
    /// Starts it; needs root, as the real one does.
    pub async fn start(pki: &Pki) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("a directory of ours");
        let ports = [(); 4].map(|()| Reserved::v4());
        let [imap, imaps, pop3, imap_proxied] = ports;
        let path = directory.path();
        let users = ["alice", "bob", "müller"].map(|user| format!("{user}:{{PLAIN}}{PASSWORD}\n"));
        write(path, "users", &users.concat());
        write(path, "masters", "gateway:{PLAIN}master\n");
        let home = path.join("home");
        fs::create_dir(&home).expect("a directory in ours");
        fs::set_permissions(&home, Permissions::from_mode(0o777)).expect("a directory of ours");
        let port = |reserved: &Reserved| reserved.address().port().to_string();
        let config = CONFIG
            .replace("DIR", &path.display().to_string())
            .replace("PKI", &pki.path().display().to_string())
            .replace("IMAP_PORT", &port(&imap))
            .replace("IMAPS_PORT", &port(&imaps))
            .replace("PROXIED_PORT", &port(&imap_proxied))
            .replace("POP3_PORT", &port(&pop3));
        write(path, "dovecot.conf", &config);
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(path.join("dovecot.conf"));
        let process = Process::start("dovecot", &mut command);
        process.wait_for("starting up").await;
        Self {
            process,
            directory,
            imap,
            imaps,
            pop3,
            imap_proxied,
        }
    }

    /// IMAP, with STARTTLS.
    pub fn imap(&self) -> SocketAddr {
        self.imap.address()
    }

    /// IMAP within TLS.
    pub fn imaps(&self) -> SocketAddr {
        self.imaps.address()
    }

    /// IMAP behind a PROXY header.
    pub fn imap_proxied(&self) -> SocketAddr {
        self.imap_proxied.address()
    }

    /// POP3, with STLS.
    pub fn pop3(&self) -> SocketAddr {
        self.pop3.address()
    }

    /// The socket by which others have it check passwords.
    pub fn auth_socket(&self) -> PathBuf {
        self.directory.path().join("auth")
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for Dovecot {
    /// Its children end when it is asked to end, not when it is killed.
    fn drop(&mut self) {
        self.process.signal(nix::sys::signal::Signal::SIGTERM);
        let gone = || !self.process.is_running();
        for _ in 0..200 {
            if gone() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    fs::write(&path, text).expect("a file in ours");
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("a file of ours");
}

const CONFIG: &str = "
base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
instance_name = DIR
ssl = yes
ssl_cert = <PKI/server.pem
ssl_key = <PKI/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_verbose = yes
auth_failure_delay = 0 secs
login_trusted_networks = 127.0.0.0/8
haproxy_trusted_networks = 127.0.0.0/8
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
first_valid_uid = 1
first_valid_gid = 1
auth_username_chars =
passdb {
  driver = passwd-file
  master = yes
  args = DIR/masters
}
passdb {
  driver = passwd-file
  args = DIR/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=DIR/home/%u
}
service auth {
  unix_listener DIR/auth {
    mode = 0666
  }
}
service imap-login {
  inet_listener imap {
    port = IMAP_PORT
  }
  inet_listener imaps {
    port = IMAPS_PORT
    ssl = yes
  }
  inet_listener proxied {
    port = PROXIED_PORT
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = POP3_PORT
  }
  inet_listener pop3s {
    port = 0
  }
}
";
