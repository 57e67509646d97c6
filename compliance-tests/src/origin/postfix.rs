//! A real Postfix with a queue of its own: submission by the users of a [`Dovecot`], and mail from other servers.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::address::Reserved;
use crate::origin::Dovecot;
use crate::pki::Pki;
use crate::process::Process;

/// A running Postfix; dropping it ends it. Mail for `gov.example` goes to one mailbox.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    directory: TempDir,
    submission: Reserved,
    proxied: Reserved,
    mx: Reserved,
}

impl Postfix {
    /// Starts it; needs root, as the real one does.
    pub async fn start(pki: &Pki, users: &Dovecot) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a directory of ours");
        for (name, owner) in [
            ("etc", "root"),
            ("spool", "root"),
            ("data", "postfix"),
            ("mail", "mail"),
        ] {
            fs::create_dir(path.join(name)).expect("a directory in ours");
            let user = nix::unistd::User::from_name(owner).expect("users can be read");
            let user = user.unwrap_or_else(|| panic!("no user {owner}"));
            std::os::unix::fs::chown(path.join(name), Some(user.uid.as_raw()), None)
                .expect("root may");
        }
        let ports = [(); 3].map(|()| Reserved::v4());
        let fill = |text: &str| {
            let filled = text
                .replace("DIR", &path.display().to_string())
                .replace("PKI", &pki.path().display().to_string())
                .replace("AUTH", &users.auth_socket().display().to_string());
            ["SUBMISSION", "PROXIED", "MX"]
                .iter()
                .zip(&ports)
                .fold(filled, |text, (name, port)| {
                    text.replace(name, &port.address().to_string())
                })
        };
        fs::write(path.join("etc/main.cf"), fill(MAIN)).expect("a file in ours");
        fs::write(path.join("etc/master.cf"), fill(MASTER)).expect("a file in ours");
        let mut command = Command::new("postfix");
        command.arg("-c").arg(path.join("etc")).arg("start-fg");
        let process = Process::start("postfix", &mut command);
        process.wait_for("daemon started").await;
        let [submission, proxied, mx] = ports;
        Self {
            process,
            directory,
            submission,
            proxied,
            mx,
        }
    }

    /// Takes mail of who has logged in, and XCLIENT of who comes from 127.0.0.1.
    pub fn submission(&self) -> SocketAddr {
        self.submission.address()
    }

    /// The same behind a PROXY header.
    pub fn proxied(&self) -> SocketAddr {
        self.proxied.address()
    }

    /// Takes mail of anybody for `gov.example`.
    pub fn mx(&self) -> SocketAddr {
        self.mx.address()
    }

    /// The messages that have been delivered.
    pub fn messages(&self) -> Vec<Vec<u8>> {
        let directory: PathBuf = self.directory.path().join("mail/inbox/new");
        let entries = fs::read_dir(directory).into_iter().flatten();
        entries
            .map(|entry| fs::read(entry.expect("an entry").path()).expect("a message"))
            .collect()
    }

    /// The process, for its log.
    pub fn process(&self) -> &Process {
        &self.process
    }
}

impl Drop for Postfix {
    /// Its children end when it is told to stop, not when it is killed.
    fn drop(&mut self) {
        let etc: &Path = &self.directory.path().join("etc");
        // There is nothing to do about a Postfix that will not stop.
        let _ = Command::new("postfix")
            .arg("-c")
            .arg(etc)
            .arg("stop")
            .output();
    }
}

const MAIN: &str = "
compatibility_level = 3.6
queue_directory = DIR/spool
data_directory = DIR/data
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
myhostname = postfix.test
mydestination =
mynetworks =
inet_protocols = all
alias_maps =
alias_database =
virtual_mailbox_domains = gov.example, other.example
virtual_mailbox_base = DIR/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:8
virtual_gid_maps = static:8
virtual_minimum_uid = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = AUTH
smtpd_sasl_auth_enable = yes
smtpd_sasl_security_options = noanonymous
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_client_connection_count_limit = 0
smtpd_tls_cert_file = PKI/server.pem
smtpd_tls_key_file = PKI/server.key
smtpd_tls_security_level = may
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_error_sleep_time = 0
";

const MASTER: &str = "
SUBMISSION inet n - n - - smtpd
PROXIED inet n - n - - smtpd -o smtpd_upstream_proxy_protocol=haproxy
MX inet n - n - - smtpd -o smtpd_recipient_restrictions=permit -o smtpd_relay_restrictions=permit_auth_destination,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
";
