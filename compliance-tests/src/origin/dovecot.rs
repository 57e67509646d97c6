//! A real Dovecot: IMAP, POP3 and submission, with users of its own in a directory of its own.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::address::Reserved;
use crate::pki::Pki;
use crate::process::Process;

/// The password of every user; the master user `gateway` has `master`.
pub const PASSWORD: &str = "se cret";

/// A running Dovecot; dropping it kills it and its children. It knows `alice`, `bob`, `müller` and `u0` to `u19`, trusts who comes from 127.0.0.1 to say who the
/// client is, and speaks TLS by the certificate `server`.
#[derive(Debug)]
pub struct Dovecot {
    process: Process,
    directory: TempDir,
    imap: Reserved,
    imaps: Reserved,
    pop3: Reserved,
    imap_proxied: Reserved,
    pop3s: Reserved,
    pop3_proxied: Reserved,
}

impl Dovecot {
    /// Starts it; needs root, as the real one does.
    pub async fn start(pki: &Pki) -> Self {
        Self::of(Ipv4Addr::LOCALHOST, pki, "", &[]).await
    }

    /// Starts it at this address of the loopback.
    pub async fn start_at(host: Ipv4Addr, pki: &Pki) -> Self {
        Self::of(host, pki, "", &[]).await
    }

    /// Starts it with more in its configuration, where DIR is its directory, and files in that.
    pub async fn with(pki: &Pki, more: &str, files: &[(&str, &str)]) -> Self {
        Self::of(Ipv4Addr::LOCALHOST, pki, more, files).await
    }

    async fn of(host: Ipv4Addr, pki: &Pki, more: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("a directory of ours");
        let ports = [(); 6].map(|()| Reserved::on(SocketAddr::from((host, 0))));
        let [imap, imaps, pop3, imap_proxied, pop3s, pop3_proxied] = ports;
        let path = directory.path();
        let named = ["alice", "bob", "müller"].map(str::to_owned);
        let users = named
            .into_iter()
            .chain((0..20).map(|number| format!("u{number}")))
            .map(|user| format!("{user}:{{PLAIN}}{PASSWORD}\n"));
        write(path, "users", &users.collect::<String>());
        write(path, "masters", "gateway:{PLAIN}master\n");
        let home = path.join("home");
        fs::create_dir(&home).expect("a directory in ours");
        fs::set_permissions(&home, Permissions::from_mode(0o777)).expect("a directory of ours");
        let port = |reserved: &Reserved| reserved.address().port().to_string();
        for (name, text) in files {
            write(
                path,
                name,
                &text.replace("DIR", &path.display().to_string()),
            );
        }
        let config = (CONFIG.to_owned() + more)
            .replace("HOST", &host.to_string())
            .replace("DIR", &path.display().to_string())
            .replace("PKI", &pki.path().display().to_string())
            .replace("IMAP_PORT", &port(&imap))
            .replace("IMAPS_PORT", &port(&imaps))
            .replace("IMAP_PROXIED", &port(&imap_proxied))
            .replace("POP3_PORT", &port(&pop3))
            .replace("POP3S_PORT", &port(&pop3s))
            .replace("POP3_PROXIED", &port(&pop3_proxied));
        write(path, "dovecot.conf", &config);
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(path.join("dovecot.conf"));
        let process = Process::start("dovecot", command.process_group(0)).with_children();
        process.wait_for("starting up").await;
        Self {
            process,
            directory,
            imap,
            imaps,
            pop3,
            imap_proxied,
            pop3s,
            pop3_proxied,
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

    /// POP3 within TLS.
    pub fn pop3s(&self) -> SocketAddr {
        self.pop3s.address()
    }

    /// POP3 behind a PROXY header.
    pub fn pop3_proxied(&self) -> SocketAddr {
        self.pop3_proxied.address()
    }

    /// Puts so many messages into a user's mailbox.
    pub fn fill(&self, user: &str, count: usize) {
        let owner = nix::unistd::User::from_name("mail").expect("users can be read");
        let uid = owner.expect("a user `mail`").uid.as_raw();
        let own = |path: &Path| chown(path, Some(uid), None).expect("root may");
        let mut at = self.directory.path().join("home").join(user);
        for part in ["", "Maildir", "new"] {
            at.push(part);
            fs::create_dir_all(&at).expect("a directory in ours");
            own(&at);
        }
        for number in 0..count {
            let message = at.join(format!("{number}.test"));
            fs::write(&message, format!("Subject: {number}\n\n{number}\n")).expect("a file");
            own(&message);
        }
    }

    /// The socket by which others have it check passwords.
    pub fn auth_socket(&self) -> PathBuf {
        self.directory.path().join("auth")
    }

    /// Adds to the configuration and has it read again.
    pub fn amend(&self, settings: &str) {
        let path = self.directory.path().join("dovecot.conf");
        let text = fs::read_to_string(&path).expect("a file of ours");
        fs::write(path, format!("{text}\n{settings}\n")).expect("a file of ours");
        self.process.signal(Signal::SIGHUP);
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    let path = directory.join(name);
    let parents = path.ancestors().skip(1);
    for parent in parents.take_while(|parent| *parent != directory) {
        fs::create_dir_all(parent).expect("a directory in ours");
        fs::set_permissions(parent, Permissions::from_mode(0o755)).expect("a directory of ours");
    }
    fs::write(&path, text).expect("a file in ours");
    fs::set_permissions(path, Permissions::from_mode(0o644)).expect("a file of ours");
}

const CONFIG: &str = "
base_dir = DIR/run
state_dir = DIR/state
log_path = /dev/stderr
protocols = imap pop3
listen = HOST
instance_name = DIR
ssl = yes
ssl_cert = <PKI/server.pem
ssl_key = <PKI/server.key
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_verbose = yes
auth_failure_delay = 0 secs
imap_idle_notify_interval = 1 secs
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
    port = IMAP_PROXIED
    haproxy = yes
  }
}
service pop3-login {
  inet_listener pop3 {
    port = POP3_PORT
  }
  inet_listener pop3s {
    port = POP3S_PORT
    ssl = yes
  }
  inet_listener proxied {
    port = POP3_PROXIED
    haproxy = yes
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";
